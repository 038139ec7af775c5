package stats

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"probe-agent/traceroute"
)

// Summarize counts a Result up.
func Summarize(r *traceroute.Result) traceroute.Summary {
	var a Accumulator
	a.Add(r)
	return a.Summary()
}

// SummarizeHop counts up the probes of one TTL of a trace that runs, elapsed
// after its start: what is not answered yet is pending until its wait is over.
func SummarizeHop(ttl uint8, probes []traceroute.Probe, spec *traceroute.Spec, elapsed time.Duration) traceroute.Hop {
	h := hop{ttl: ttl}
	for i := range probes {
		h.add(&probes[i], spec)
	}
	summary := h.summary(make([]traceroute.Node, 0, len(h.nodes)))
	for i := range probes {
		if p := &probes[i]; p.Answer == nil && elapsed-p.Sent < spec.Wait {
			summary.Lost--
			summary.Pending++
		}
	}
	return summary
}

// Accumulator counts up any number of Results of one target and method:
// packets and round-trip times of a node are taken together. The zero value is
// ready to use. Not safe for concurrent use.
type Accumulator struct {
	hops   []hop
	target RTT
	// TTLs where a Result had loss that is a limit on ICMP errors, and where
	// one had loss that is none.
	limited, lossy [traceroute.MaxTTLLimit + 1]bool
}

// Add takes one Result into account.
func (a *Accumulator) Add(r *traceroute.Result) {
	var lost [traceroute.MaxTTLLimit + 1]bool
	if n := len(r.Probes); n > 0 {
		a.grow(int(r.Probes[n-1].TTL)) // at once, the last being the farthest
	}
	for i := range r.Probes {
		p := &r.Probes[i]
		a.grow(int(p.TTL))
		a.hops[p.TTL-1].add(p, &r.Spec)
		if p.Answer == nil {
			lost[p.TTL] = true
		} else if p.Answer.OfTarget(r.Spec.Target) {
			a.target.Add(p.Answer.RTT)
		}
	}
	for ttl, is := range lost {
		limited := slices.Contains(r.Limited, uint8(ttl))
		a.limited[ttl] = a.limited[ttl] || limited
		a.lossy[ttl] = a.lossy[ttl] || is && !limited
	}
}

// grow makes place for the TTLs up to top, with one node for each, which is what
// most have.
func (a *Accumulator) grow(top int) {
	more := top - len(a.hops)
	if more <= 0 {
		return
	}
	a.hops = slices.Grow(a.hops, more)
	for nodes := make([]node, more); len(nodes) > 0; nodes = nodes[1:] {
		a.hops = append(a.hops, hop{ttl: uint8(len(a.hops) + 1), nodes: nodes[0:0:1]})
	}
}

// Summary returns what was added so far. A hop is Limited when all its loss
// was.
func (a *Accumulator) Summary() traceroute.Summary {
	s := traceroute.Summary{Hops: make([]traceroute.Hop, len(a.hops)), Target: a.target.Summary()}
	total := 0
	for i := range a.hops {
		total += len(a.hops[i].nodes)
	}
	nodes := make([]traceroute.Node, total) // of all hops
	for i := range a.hops {
		n := len(a.hops[i].nodes)
		s.Hops[i] = a.hops[i].summary(nodes[:0:n])
		nodes = nodes[n:]
		s.Hops[i].Limited = a.limited[i+1] && !a.lossy[i+1]
	}
	return s
}

// hop counts the probes of one TTL up.
type hop struct {
	ttl        uint8
	sent, lost int
	nodes      []node
}

type node struct {
	addr   netip.Addr
	labels []string
	rtt    RTT
}

func (h *hop) add(p *traceroute.Probe, spec *traceroute.Spec) {
	h.sent++
	if p.Answer == nil {
		h.lost++
		return
	}
	n := h.node(p, spec.Method == traceroute.GREICMP)
	n.rtt.Add(p.Answer.RTT)
	n.labels = traceroute.AppendLabels(n.labels, p.Answer, spec.Target.Is6())
}

// node returns the node that answered p, new if need be. Where a trace has
// both halves, the half is its first label.
func (h *hop) node(p *traceroute.Probe, both bool) *node {
	half := traceroute.LabelICMP
	if p.Encapsulated {
		half = traceroute.LabelGRE
	}
	for i := range h.nodes {
		if n := &h.nodes[i]; n.addr == p.Answer.From && (!both || n.labels[0] == half) {
			return n
		}
	}
	n := node{addr: p.Answer.From}
	if both {
		n.labels = []string{half}
	}
	h.nodes = append(h.nodes, n)
	return &h.nodes[len(h.nodes)-1]
}

// summary returns the hop with its nodes in the space given, whose capacity is
// just enough.
func (h *hop) summary(nodes []traceroute.Node) traceroute.Hop {
	s := traceroute.Hop{TTL: h.ttl, Sent: h.sent, Lost: h.lost}
	if len(h.nodes) == 0 {
		return s
	}
	for i := range h.nodes {
		n := &h.nodes[i]
		nodes = append(nodes, traceroute.Node{Addr: n.addr, Labels: slices.Clone(n.labels), RTT: n.rtt.Summary()})
	}
	s.Nodes = nodes
	slices.SortStableFunc(s.Nodes, func(a, b traceroute.Node) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Addr.Compare(b.Addr), cmp.Compare(a.Half(), b.Half()))
	})
	return s
}

// Summary returns the numbers, rounded to nanoseconds.
func (r RTT) Summary() traceroute.RTT {
	if r.count == 0 {
		return traceroute.RTT{}
	}
	return traceroute.RTT{
		Count: r.count, Min: r.min, Max: r.max,
		Mean: time.Duration(math.Round(r.Mean())), StdDev: time.Duration(math.Round(r.StdDev())),
	}
}
