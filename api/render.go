package api

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/prober"
	"probe-agent/stats"
)

// noResponse is the name of the node that stands for a silent hop.
const noResponse = "NO RESPONSE"

// redacted is the name of the node that stands for those of a hop whose
// addresses the colo does not tell; see Local.RedactHops.
const redacted = "REDACTED"

// render puts the run into the form of the contract.
func render(r *run, notes map[netip.Addr]Annotation) *Response {
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

func renderColo(t coloTrace, notes map[netip.Addr]Annotation) ColoResult {
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

func renderSummary(target string, addr netip.Addr, rtt stats.RTT, notes map[netip.Addr]Annotation) TargetSummary {
	s := TargetSummary{
		ASN:         asn(notes[addr]),
		IP:          addr.String(),
		Name:        target,
		PacketCount: rtt.Count(),
		MeanRTT:     milliseconds(rtt.Mean()),
		StdDevRTT:   milliseconds(rtt.StdDev()),
		MinRTT:      milliseconds(float64(rtt.Min())),
		MaxRTT:      milliseconds(float64(rtt.Max())),
	}
	s.MeanLatency, s.StdDevLatency, s.MinLatency, s.MaxLatency = s.MeanRTT, s.StdDevRTT, s.MinRTT, s.MaxRTT
	return s
}

func renderHop(hop prober.HopSummary, notes map[netip.Addr]Annotation) Hop {
	h := Hop{TTL: int(hop.TTL), Sent: hop.Sent, Lost: hop.Lost, Nodes: make([]Node, 0, max(1, len(hop.Nodes)))}
	for _, n := range hop.Nodes {
		node := Node{
			Name:        redacted,
			PacketCount: n.RTT.Count(),
			MeanRTT:     milliseconds(n.RTT.Mean()),
			StdDevRTT:   milliseconds(n.RTT.StdDev()),
			MinRTT:      milliseconds(float64(n.RTT.Min())),
			MaxRTT:      milliseconds(float64(n.RTT.Max())),
			Labels:      n.Labels,
		}
		if n.Addr.IsValid() {
			note := notes[n.Addr]
			node.ASN, node.IP, node.Name = asn(note), n.Addr.String(), cmp.Or(note.Name, n.Addr.String())
		}
		h.Nodes = append(h.Nodes, node)
	}
	if len(h.Nodes) == 0 {
		h.Nodes = append(h.Nodes, Node{Name: noResponse})
	}
	return h
}

// milliseconds rounds to whole nanoseconds, the clock's resolution: at most 6
// decimals. What is negative or no number is 0.
func milliseconds(nanoseconds float64) Milliseconds {
	if math.IsNaN(nanoseconds) || math.IsInf(nanoseconds, 0) || nanoseconds < 0 {
		return 0
	}
	return Milliseconds(math.Round(nanoseconds) / float64(time.Millisecond))
}

func asn(note Annotation) string {
	if note.ASN == 0 {
		return ""
	}
	return fmt.Sprintf("AS%d", note.ASN)
}
