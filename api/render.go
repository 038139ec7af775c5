package api

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// noResponse is the name of the node that stands for a silent hop.
const noResponse = "NO RESPONSE"

// redacted is the name of the node that stands for those of a hop whose
// addresses the colo does not tell; see Local.RedactHops.
const redacted = "REDACTED"

// render puts the run into the form of the contract.
func render(r *run, notes traceroute.Notes) *Response {
	answer := &Response{Result: []TargetResult{}, Success: true, Errors: []envelope.Message{}, Messages: []envelope.Message{}}
	for ofTarget := range slices.Chunk(r.traces, r.colos) {
		result := TargetResult{Target: ofTarget[0].target, Colos: make([]ColoResult, len(ofTarget))}
		for i, t := range ofTarget {
			result.Colos[i] = renderColo(t, notes)
			if t.failure != nil {
				answer.Messages = append(answer.Messages, envelope.Message{
					Code:    envelope.CodeFailureBase + int(t.failure.Code),
					Message: fmt.Sprintf("%s → %s: %s", t.colo.Name(), t.target, t.failure.Reason),
				})
			}
		}
		answer.Result = append(answer.Result, result)
	}
	return answer
}

func renderColo(t coloTrace, notes traceroute.Notes) ColoResult {
	c := ColoResult{
		Colo:    ColoInfo{Name: t.colo.Name(), City: t.colo.City()},
		TimeMS:  t.took.Milliseconds(),
		Summary: TargetSummary{Name: t.target},
		Hops:    make([]Hop, len(t.summary.Hops)),
	}
	if t.failure != nil {
		c.Error = fmt.Sprintf("Could not gather traceroute data: Code %d", t.failure.Code)
		return c
	}
	c.Summary = renderSummary(t.target, t.result.Spec.Target, t.summary.Target, notes)
	for i, hop := range t.summary.Hops {
		c.Hops[i] = renderHop(hop, notes)
	}
	return c
}

func renderSummary(target string, addr netip.Addr, rtt traceroute.RTT, notes traceroute.Notes) TargetSummary {
	s := TargetSummary{
		ASN:         notes[addr].ASN.String(),
		IP:          addr.String(),
		Name:        target,
		PacketCount: rtt.Count,
		MeanRTT:     milliseconds(rtt.Mean),
		StdDevRTT:   milliseconds(rtt.StdDev),
		MinRTT:      milliseconds(rtt.Min),
		MaxRTT:      milliseconds(rtt.Max),
	}
	s.MeanLatency, s.StdDevLatency, s.MinLatency, s.MaxLatency = s.MeanRTT, s.StdDevRTT, s.MinRTT, s.MaxRTT
	return s
}

func renderHop(hop traceroute.Hop, notes traceroute.Notes) Hop {
	h := Hop{TTL: int(hop.TTL), Sent: hop.Sent, Lost: hop.Lost, Nodes: make([]Node, 0, max(1, len(hop.Nodes)))}
	for _, n := range hop.Nodes {
		node := Node{
			Name:        redacted,
			PacketCount: n.Count,
			MeanRTT:     milliseconds(n.Mean),
			StdDevRTT:   milliseconds(n.StdDev),
			MinRTT:      milliseconds(n.Min),
			MaxRTT:      milliseconds(n.Max),
			Labels:      n.Labels,
		}
		if n.Addr.IsValid() {
			note := notes[n.Addr]
			node.ASN, node.IP, node.Name = note.ASN.String(), n.Addr.String(), cmp.Or(note.Name, n.Addr.String())
		}
		h.Nodes = append(h.Nodes, node)
	}
	if len(h.Nodes) == 0 {
		h.Nodes = append(h.Nodes, Node{Name: noResponse})
	}
	return h
}

// milliseconds has at most 6 decimals: whole nanoseconds. What is negative is 0.
func milliseconds(d time.Duration) Milliseconds {
	return Milliseconds(float64(max(0, d)) / float64(time.Millisecond))
}
