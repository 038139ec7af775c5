package v1

import (
	"net/netip"

	"probe-agent/traceroute"
)

// Hop is what one TTL showed.
type Hop struct {
	TTL     int    `json:"ttl"`
	Sent    int    `json:"sent"`
	Lost    int    `json:"lost"`    // not answered within their wait
	Pending int    `json:"pending"` // still waited for; 0 in a trace that has ended
	Limited bool   `json:"limited"`
	Nodes   []Node `json:"nodes"`
}

// Node is one responder of a hop.
type Node struct {
	IP     netip.Addr `json:"ip"`
	Name   string     `json:"name"`
	ASN    string     `json:"asn"`
	Labels []string   `json:"labels"`
	RTT
}

// Target is about the packets that the target answered.
type Target struct {
	IP   netip.Addr `json:"ip"` // that was probed
	Name string     `json:"name"`
	ASN  string     `json:"asn"`
	RTT
}

// RTT summarises round-trip times. Those of no packets are null.
type RTT struct {
	PacketCount int    `json:"packet_count"`
	MinNS       *int64 `json:"min_rtt_ns"`
	MeanNS      *int64 `json:"mean_rtt_ns"`
	MaxNS       *int64 `json:"max_rtt_ns"`
	StdDevNS    *int64 `json:"std_dev_rtt_ns"`
}

func newHop(h *traceroute.Hop, notes traceroute.Notes) Hop {
	hop := Hop{
		TTL: int(h.TTL), Sent: h.Sent, Lost: h.Lost, Pending: h.Pending, Limited: h.Limited,
		Nodes: make([]Node, len(h.Nodes)),
	}
	for i := range h.Nodes {
		hop.Nodes[i] = newNode(&h.Nodes[i], notes)
	}
	return hop
}

func newNode(n *traceroute.Node, notes traceroute.Notes) Node {
	note := notes[n.Addr]
	node := Node{IP: n.Addr, Name: note.NameOf(n.Addr), ASN: note.ASN.String(), Labels: n.Labels, RTT: newRTT(n.RTT)}
	if node.Labels == nil {
		node.Labels = []string{}
	}
	return node
}

func newTarget(addr netip.Addr, rtt traceroute.RTT, notes traceroute.Notes) Target {
	note := notes[addr]
	return Target{IP: addr, Name: note.NameOf(addr), ASN: note.ASN.String(), RTT: newRTT(rtt)}
}

func newRTT(r traceroute.RTT) RTT {
	if r.Count == 0 {
		return RTT{}
	}
	return RTT{
		PacketCount: r.Count,
		MinNS:       new(r.Min.Nanoseconds()),
		MeanNS:      new(r.Mean.Nanoseconds()),
		MaxNS:       new(r.Max.Nanoseconds()),
		StdDevNS:    new(r.StdDev.Nanoseconds()),
	}
}
