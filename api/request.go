package api

import (
	"fmt"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/lookup"
	"probe-agent/traceroute"
)

// Bounds of a request beyond those of traceroute.Spec.
const (
	maxTargets = 10
	maxPort    = 65535
)

// Request is what a client asks for. Zero options stand for their defaults.
type Request struct {
	Targets []string // 1 to 10 host names or addresses
	Colos   []string // colos or their common letters; empty: all
	Options Options
}

// Options say how to trace; fields and ranges are those of the contract. The
// last two are of the native API only.
type Options struct {
	MaxTTL        int    // 0 to 64, default 15
	PacketType    string // icmp, tcp, udp, gre, gre+icmp; default icmp
	PacketsPerTTL int    // 0 to 10, default 3
	Port          int    // 0 to 65535: UDP and TCP port, first ICMP echo sequence number
	WaitTime      int    // seconds, 0 to 5, default 1
	WaitMS        int    // instead of WaitTime: milliseconds, 0 to 5000
	Family        string // any, ipv4, ipv6; default any
}

// Spec returns the options as a specification without target, or a
// *envelope.Error with one fault per option that is out of range.
func (o Options) Spec() (traceroute.Spec, error) {
	var wrong envelope.Problems
	spec := o.spec(&wrong)
	return spec, wrong.Err()
}

func (o Options) spec(wrong *envelope.Problems) traceroute.Spec {
	bounds := []struct {
		name      string
		value, to int
		zero      string
	}{
		{"max_ttl", o.MaxTTL, traceroute.MaxTTLLimit, fmt.Sprintf("the default, %d", traceroute.DefaultMaxTTL)},
		{"packets_per_ttl", o.PacketsPerTTL, traceroute.PacketsPerTTLLimit, fmt.Sprintf("the default, %d", traceroute.DefaultPackets)},
		{"port", o.Port, maxPort, "the best port of the packet type"},
		{"wait_time", o.WaitTime, int(traceroute.MaxWait / time.Second), "the default, 1"},
		{"wait_ms", o.WaitMS, int(traceroute.MaxWait / time.Millisecond), "that options.wait_time counts"},
	}
	for _, b := range bounds {
		if b.value < 0 || b.value > b.to {
			wrong.Add(envelope.CodeOption, "/options/"+b.name, "options.%s must be an integer from 0 to %d; 0 means %s", b.name, b.to, b.zero)
		}
	}
	method, err := traceroute.ParseMethod(o.PacketType)
	if err != nil {
		wrong.Add(envelope.CodePacketType, "/options/packet_type", "options.packet_type must be icmp, tcp, udp, gre or gre+icmp")
	}
	family, err := traceroute.ParseFamily(o.Family)
	if err != nil {
		wrong.Add(envelope.CodeOption, "/options/family", "options.family must be any, ipv4 or ipv6")
	}
	wait := time.Duration(o.WaitTime) * time.Second
	if o.WaitMS != 0 {
		if o.WaitTime != 0 {
			wrong.Add(envelope.CodeOption, "/options/wait_ms", "options.wait_ms must not be set together with options.wait_time")
		}
		wait = time.Duration(o.WaitMS) * time.Millisecond
	}
	spec := traceroute.Spec{
		Method:        method,
		MaxTTL:        o.MaxTTL,
		PacketsPerTTL: o.PacketsPerTTL,
		Port:          o.Port,
		Wait:          wait,
		Family:        family,
	}
	if method == traceroute.GRE {
		spec.Port = 0
	}
	return spec
}

// checkTargets adds the faults of the target list.
func checkTargets(targets []string, wrong *envelope.Problems) {
	switch n := len(targets); {
	case n == 0:
		wrong.Add(envelope.CodeTargets, "/targets", "targets must hold 1 to %d host names or addresses", maxTargets)
		return
	case n > maxTargets:
		wrong.Add(envelope.CodeTargets, "/targets", "targets must hold at most %d host names or addresses, not %d", maxTargets, n)
		return
	}
	for i, t := range targets {
		if err := lookup.CheckTarget(t); err != nil {
			wrong.Add(envelope.CodeTargets, fmt.Sprintf("/targets/%d", i), "targets[%d] %s", i, err)
		}
	}
}
