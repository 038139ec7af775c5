package v1

import (
	"cmp"
	"net/netip"
	"slices"

	"probe-agent/traceroute"
)

// Notes are what is known of addresses. It may be nil.
type Notes = traceroute.Notes

// redacted is the name of the node that stands for those whose addresses the
// colo does not tell.
const redacted = "REDACTED"

// Hop is what one TTL showed.
type Hop struct {
	TTL     int    `json:"ttl"`
	Sent    int    `json:"sent"`
	Lost    int    `json:"lost"`    // waited for in vain
	Pending int    `json:"pending"` // still waited for; 0 in a finished trace
	Limited bool   `json:"limited"`
	Nodes   []Node `json:"nodes"`
}

// Node is one responder of a hop.
type Node struct {
	IP     Address  `json:"ip"`
	Name   string   `json:"name"`
	ASN    string   `json:"asn"`
	Labels []string `json:"labels"`
	RTT
}

// Target is about the packets that the target answered.
type Target struct {
	IP   Address `json:"ip"` // that was probed
	Name string  `json:"name"`
	ASN  string  `json:"asn"`
	RTT
}

// RTT sums round-trip times up. Those of no packets are null.
type RTT struct {
	PacketCount int    `json:"packet_count"`
	MinNS       *int64 `json:"min_rtt_ns"`
	MeanNS      *int64 `json:"mean_rtt_ns"`
	MaxNS       *int64 `json:"max_rtt_ns"`
	StdDevNS    *int64 `json:"std_dev_rtt_ns"`
}

// Hops renders the hops of a result, by TTL from 1 on. The result may be one
// of a trace that runs: what is not answered yet is pending as long as its
// wait has not ended.
func Hops(r *traceroute.Result, summary traceroute.Summary, notes Notes) []Hop {
	hops := make([]Hop, len(summary.Hops))
	for i, h := range summary.Hops {
		hops[i] = Hop{
			TTL: int(h.TTL), Sent: h.Sent, Lost: h.Lost,
			Limited: slices.Contains(r.Limited, h.TTL),
			Nodes:   make([]Node, len(h.Nodes)),
		}
		for j, n := range h.Nodes {
			hops[i].Nodes[j] = newNode(n, notes)
		}
	}
	if r.Stop != traceroute.Running {
		return hops
	}
	for i := range r.Probes {
		if p := &r.Probes[i]; p.Answer == nil && r.Duration-p.Sent < r.Spec.Wait {
			hops[p.TTL-1].Lost--
			hops[p.TTL-1].Pending++
		}
	}
	return hops
}

func newNode(n traceroute.Node, notes Notes) Node {
	node := Node{IP: n.Addr, Name: redacted, Labels: []string{}, RTT: newRTT(n.RTT)}
	if len(n.Labels) > 0 {
		node.Labels = slices.Clone(n.Labels)
	}
	if n.Addr.IsValid() {
		node.Annotate(notes)
	}
	return node
}

// Annotate fills in what notes say of the node.
func (n *Node) Annotate(notes Notes) {
	note := notes[n.IP]
	n.Name, n.ASN = nameOf(n.IP, note), note.ASN.String()
}

func newTarget(addr netip.Addr, rtt traceroute.RTT, notes Notes) Target {
	return Target{IP: addr, Name: nameOf(addr, notes[addr]), ASN: notes[addr].ASN.String(), RTT: newRTT(rtt)}
}

func newRTT(r traceroute.RTT) RTT {
	if r.Count == 0 {
		return RTT{}
	}
	return RTT{
		PacketCount: r.Count, MinNS: new(r.Min.Nanoseconds()), MeanNS: new(r.Mean.Nanoseconds()),
		MaxNS: new(r.Max.Nanoseconds()), StdDevNS: new(r.StdDev.Nanoseconds()),
	}
}

// nameOf is the name of an address, itself when it has none.
func nameOf(addr netip.Addr, note traceroute.Note) string { return cmp.Or(note.Name, addr.String()) }
