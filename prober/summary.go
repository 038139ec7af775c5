package prober

import (
	"net/netip"

	"probe-agent/stats"
)

// Summary is a Result counted up: by hop, by node of the hop, and for the
// target.
type Summary struct {
	Hops []HopSummary
	// Target is over the probes that the target answered: every arrival, and
	// every unreachable answer from the target's own address.
	Target stats.RTT
}

// HopSummary is what one TTL showed.
type HopSummary struct {
	TTL        uint8
	Sent, Lost int
	Nodes      []NodeSummary // by packets, most first, then by address; empty when all was silent
}

// NodeSummary is one responder at one TTL. In a GREICMP trace an address that
// answered both halves is two nodes.
type NodeSummary struct {
	Addr   netip.Addr // the zero Addr stands for all that Redact has hidden
	Labels []string   // annotations in the style of traceroute(8); nil when there is nothing to say
	RTT    stats.RTT
}

// Summarise counts a Result up.
func Summarise(r *Result) Summary {
	var s Summary
	both := r.Spec.Method == GREICMP
	for i := range r.Probes {
		p := &r.Probes[i]
		for len(s.Hops) < int(p.TTL) {
			s.Hops = append(s.Hops, HopSummary{TTL: uint8(len(s.Hops) + 1)})
		}
		hop := &s.Hops[p.TTL-1]
		hop.Sent++
		if p.Answer == nil {
			hop.Lost++
			continue
		}
		hop.node(p, both).add(p.Answer, r.Spec.Target.Is6())
		if p.Answer.ofTarget(r.Spec.Target) {
			s.Target.Add(p.Answer.RTT)
		}
	}
	for i := range s.Hops {
		s.Hops[i].sort()
	}
	return s
}

// The labels that tell the halves of a GREICMP trace apart.
const (
	labelGRE  = "GRE"
	labelICMP = "ICMP"
)

// node returns the hop's node that answered p, new if need be.
func (h *HopSummary) node(p *Probe, both bool) *NodeSummary {
	half := labelICMP
	if p.Encapsulated {
		half = labelGRE
	}
	for i := range h.Nodes {
		if n := &h.Nodes[i]; n.Addr == p.Answer.From && (!both || n.Labels[0] == half) {
			return n
		}
	}
	n := NodeSummary{Addr: p.Answer.From}
	if both {
		n.Labels = []string{half}
	}
	h.Nodes = append(h.Nodes, n)
	return &h.Nodes[len(h.Nodes)-1]
}

func (n *NodeSummary) add(a *Answer, ipv6 bool) {
	n.RTT.Add(a.RTT)
	n.Labels = appendLabels(n.Labels, a, ipv6)
}
