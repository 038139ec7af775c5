//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"probe-agent/internal/netsim/kernel"
)

// answered is what of an answer tells whose it is.
type answered struct {
	Success bool
	Result  []struct {
		Target string
		Colos  []struct {
			Error string
			Hops  []hop
		}
	}
}

type hop struct {
	Sent  int `json:"packets_sent"`
	Lost  int `json:"packets_lost"`
	Nodes []struct{ IP string }
}

// holds compares an answer with what the lab's topology makes of each target.
func (q question) holds(lab *kernel.Lab, body []byte) error {
	var a answered
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	if !a.Success || len(a.Result) != len(q.Targets) {
		return fmt.Errorf("%d results: %.200s", len(a.Result), body)
	}
	for i, r := range a.Result {
		if r.Target != q.Targets[i] || len(r.Colos) != 1 {
			return fmt.Errorf("result %d is of %q", i, r.Target)
		}
		if err := q.expects[i].holds(lab, r.Target, r.Colos[0].Error, r.Colos[0].Hops); err != nil {
			return fmt.Errorf("%s: %w", r.Target, err)
		}
	}
	return nil
}

func (e expectation) holds(lab *kernel.Lab, target, failure string, hops []hop) error {
	if e.untraced {
		if failure == "" || len(hops) > 0 {
			return fmt.Errorf("no error, %d hops", len(hops))
		}
		return nil
	}
	want := lab.Hops(e.ipv6, 8)
	length := len(want)
	if e.silent {
		length = 8
	}
	if failure != "" || len(hops) != length {
		return fmt.Errorf("%d hops, want %d: %q", len(hops), length, failure)
	}
	for i, h := range hops {
		from := "" // of a silent hop
		switch {
		case i < len(want)-1 && len(want[i]) > 0:
			from = want[i][0].From.String()
		case i == len(want)-1 && !e.silent:
			from = netip.MustParseAddr(target).String()
		}
		if lost := h.Lost > 0; lost != (from == "") {
			return fmt.Errorf("TTL %d: %d of %d lost", i+1, h.Lost, h.Sent)
		}
		for _, n := range h.Nodes {
			if n.IP != from {
				return fmt.Errorf("TTL %d: answer of %q, want %q", i+1, n.IP, from)
			}
		}
	}
	return nil
}
