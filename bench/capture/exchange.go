package capture

import (
	"errors"
	"io"
	"net/netip"
	"time"
)

// Probe names a probe of a capture by what every traceroute can tell: the
// target, the TTL, and how many probes to both went before it.
type Probe struct {
	Target  netip.Addr
	TTL     int
	Ordinal int
}

// Exchanges reads a capture of IPv4 ICMP traceroutes, in the format of
// pcap-savefile(5), and returns for each answered probe how much later its
// first answer passed the point of capture.
func Exchanges(from io.Reader) (map[Probe]time.Duration, error) {
	f, err := open(from)
	if err != nil {
		return nil, err
	}
	type sending struct {
		probe Probe
		at    time.Duration
	}
	type hop struct {
		target netip.Addr
		ttl    int
	}
	waiting := make(map[echo]sending)
	count := make(map[hop]int)
	answered := make(map[Probe]time.Duration)
	for {
		frame, at, err := f.next()
		if errors.Is(err, io.EOF) {
			return answered, nil
		} else if err != nil {
			return nil, err
		}
		m, ok := read(frame)
		if !ok {
			continue
		}
		if m.request {
			to := hop{m.target, m.ttl}
			waiting[m.echo] = sending{Probe{m.target, m.ttl, count[to]}, at}
			count[to]++
			continue
		}
		if s, ok := waiting[m.echo]; ok {
			answered[s.probe] = at - s.at
			delete(waiting, m.echo)
		}
	}
}
