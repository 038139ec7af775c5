package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"probe-agent/internal/rawsock"
)

func newSocketReading(read func() rawsock.Status) prometheus.Collector {
	type status = rawsock.Status
	r := &reading[status]{read: read}
	r.counter("receive_drops_total", "Packets dropped because a receive buffer was full.",
		func(s *status) uint64 { return s.Drops })
	r.counter("receive_truncated_total", "Packets that were too long for the agent and lost their end.",
		func(s *status) uint64 { return s.Truncated })
	r.counter("transmit_stamps_lost_total", "Transmit stamps that were lost.",
		func(s *status) uint64 { return s.LostStamps })
	r.counter("foreign_icmp_errors_total", "ICMP errors about packets that are not the agent's, which kernels from before February 2026 deliver to its sending sockets.",
		func(s *status) uint64 { return s.ForeignErrors })
	r.gauge("receive_buffer_bytes", "Least buffer that any receiving socket was granted, as the kernel counts it.",
		func(s *status) float64 { return float64(s.ReceiveBuffer) })
	r.gauge("send_buffer_bytes", "Least buffer that any sending socket was granted, as the kernel counts it.",
		func(s *status) float64 { return float64(s.SendBuffer) })
	r.add("family_usable", "Whether the family can be traced: 1 or 0.", prometheus.GaugeValue, "family", byLabel[status]{
		ipv4: func(s *status) float64 { return usable(s.IPv4) },
		ipv6: func(s *status) float64 { return usable(s.IPv6) },
	})
	return r
}

func usable(err error) float64 {
	if err != nil {
		return 0
	}
	return 1
}

// newSocketInfo shows what stays as it was when the sockets were opened.
func newSocketInfo(s rawsock.Status) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "socket_info", Help: "How the kernel stamps packets; always 1.",
		ConstLabels: prometheus.Labels{"transmit_stamps": s.StampMode, "receive_stamps": strconv.FormatBool(s.ReceiveStamps)},
	})
	info.Set(1)
	return info
}
