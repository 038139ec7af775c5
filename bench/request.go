//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// targetsPerRequest is the most that the API takes.
const targetsPerRequest = 10

// options are those of the API; 0 is the default.
type options struct {
	MaxTTL     int    `json:"max_ttl"`
	Packets    int    `json:"packets_per_ttl"`
	WaitTime   int    `json:"wait_time"`
	PacketType string `json:"packet_type,omitempty"`
}

// traced is the part of the API's answer, for one target, that tells whether
// the trace is whole.
type traced struct {
	Target string
	Colos  []struct {
		Error   string
		Summary struct {
			Packets int `json:"packet_count"`
		} `json:"target_summary"`
		Hops []struct {
			Sent int `json:"packets_sent"`
			Lost int `json:"packets_lost"`
		}
	}
}

// whole reports a trace that does not have all packets of all hops answered.
func (t traced) whole(hops, packets int) error {
	if len(t.Colos) != 1 {
		return fmt.Errorf("%s: traced from %d colos", t.Target, len(t.Colos))
	}
	c := t.Colos[0]
	if c.Error != "" || len(c.Hops) != hops || c.Summary.Packets != packets {
		return fmt.Errorf("%s: %d hops, %d answers of the target, error %q", t.Target, len(c.Hops), c.Summary.Packets, c.Error)
	}
	for i, h := range c.Hops {
		if h.Sent != packets || h.Lost != 0 {
			return fmt.Errorf("%s: hop %d: %d of %d packets lost", t.Target, i+1, h.Lost, h.Sent)
		}
	}
	return nil
}

// trace has the agent trace the targets, ten in a request, with that many
// requests under way at once, and returns what came of them and the time
// from the first request to the last answer.
func (a *agent) trace(ctx context.Context, targets []netip.Addr, o options, atOnce int) ([]traced, time.Duration, error) {
	var bodies [][]byte
	for chunk := range slices.Chunk(targets, targetsPerRequest) {
		body, err := json.Marshal(map[string]any{"targets": chunk, "options": o})
		if err != nil {
			return nil, 0, err
		}
		bodies = append(bodies, body)
	}
	answers := make([][]byte, len(bodies))
	errs := make([]error, len(bodies))
	turns := make(chan int, len(bodies))
	for i := range bodies {
		turns <- i
	}
	close(turns)
	started := time.Now()
	var running sync.WaitGroup
	for range min(atOnce, len(bodies)) {
		running.Go(func() {
			for i := range turns {
				answers[i], errs[i] = a.post(ctx, bodies[i])
			}
		})
	}
	running.Wait()
	took := time.Since(started)
	for _, err := range errs {
		if err != nil {
			return nil, took, err
		}
	}
	all, err := decode(answers)
	return all, took, err
}

// post sends one request and returns the answer's body.
func (a *agent) post(ctx context.Context, body []byte) ([]byte, error) {
	const url = "http://" + agentAddress + "/accounts/bench/diagnostics/traceroute"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the agent answered %s: %s", response.Status, answer)
	}
	return answer, nil
}

func decode(answers [][]byte) ([]traced, error) {
	var all []traced
	for _, answer := range answers {
		var envelope struct {
			Result  []traced
			Success bool
		}
		if err := json.Unmarshal(answer, &envelope); err != nil {
			return nil, fmt.Errorf("the agent's answer: %w", err)
		}
		if !envelope.Success {
			return nil, fmt.Errorf("the agent's answer is no success: %s", answer)
		}
		all = append(all, envelope.Result...)
	}
	return all, nil
}
