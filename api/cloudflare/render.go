package cloudflare

import (
	"fmt"
	"net/netip"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/service"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// Targets calls yield with the result of each target and the messages about its
// failures, until yield returns false. The traces are those of a run, by target,
// then colo; the outcomes are theirs.
func Targets(traces []service.Trace, outcomes []traceroute.Outcome, notes traceroute.Notes) func(yield func(TargetResult, []envelope.Message) bool) {
	colos := 1
	for colos < len(traces) && traces[colos].Colo != traces[0].Colo {
		colos++
	}
	return func(yield func(TargetResult, []envelope.Message) bool) {
		for first := 0; first < len(traces); first += colos {
			result := TargetResult{Target: traces[first].Target, Colos: make([]ColoResult, colos)}
			var messages []envelope.Message
			for i := range colos {
				trace, outcome := traces[first+i], &outcomes[first+i]
				result.Colos[i] = renderColo(trace, outcome, notes)
				if f := outcome.Failure; f != nil {
					messages = append(messages, envelope.Message{
						Code:    envelope.CodeFailureBase + int(f.Code),
						Message: fmt.Sprintf("%s → %s: %s", trace.Colo.Name, trace.Target, f.Reason),
					})
				}
			}
			if !yield(result, messages) {
				return
			}
		}
	}
}

// Answer returns the whole answer to a request.
func Answer(traces []service.Trace, outcomes []traceroute.Outcome, notes traceroute.Notes) envelope.Envelope[[]TargetResult] {
	answer := envelope.New([]TargetResult{})
	for result, messages := range Targets(traces, outcomes, notes) {
		answer.Result = append(answer.Result, result)
		answer.Messages = append(answer.Messages, messages...)
	}
	return answer
}

func renderColo(trace service.Trace, outcome *traceroute.Outcome, notes traceroute.Notes) ColoResult {
	c := ColoResult{
		Colo:    trace.Colo,
		TimeMS:  outcome.Took.Milliseconds(),
		Summary: TargetSummary{Name: trace.Target},
		Hops:    []Hop{},
	}
	if f := outcome.Failure; f != nil {
		c.Error = fmt.Sprintf("Could not gather traceroute data: Code %d", f.Code)
		return c
	}
	summary := stats.Summarize(outcome.Result)
	c.Summary = renderSummary(trace.Target, outcome.Result.Spec.Target, summary.Target, notes)
	c.Hops = make([]Hop, len(summary.Hops))
	for i := range summary.Hops {
		c.Hops[i] = renderHop(&summary.Hops[i], notes)
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

func renderHop(hop *traceroute.Hop, notes traceroute.Notes) Hop {
	h := Hop{TTL: int(hop.TTL), Sent: hop.Sent, Lost: hop.Lost, Nodes: make([]Node, 0, max(1, len(hop.Nodes)))}
	for i := range hop.Nodes {
		n := &hop.Nodes[i]
		node := Node{
			Name:        notes[n.Addr].NameOf(n.Addr),
			PacketCount: n.Count,
			MeanRTT:     milliseconds(n.Mean),
			StdDevRTT:   milliseconds(n.StdDev),
			MinRTT:      milliseconds(n.Min),
			MaxRTT:      milliseconds(n.Max),
			Labels:      n.Labels,
		}
		if n.Addr.IsValid() {
			node.ASN, node.IP = notes[n.Addr].ASN.String(), n.Addr.String()
		}
		h.Nodes = append(h.Nodes, node)
	}
	if len(h.Nodes) == 0 {
		h.Nodes = append(h.Nodes, Node{Name: traceroute.NoResponse})
	}
	return h
}

// milliseconds has at most 6 decimals: whole nanoseconds, the clock's
// resolution. What is negative is 0.
func milliseconds(d time.Duration) Milliseconds {
	return Milliseconds(max(d, 0)) / Milliseconds(time.Millisecond)
}
