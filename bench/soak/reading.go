//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	liveHeap = "go_memstats_heap_alloc_bytes"
	heapGoal = "go_memstats_next_gc_bytes"
	resident = "process_resident_memory_bytes"
	sent     = "probe_agent_probes_sent_total"
	waits    = "probe_agent_room_waits_total"
)

// reading is what the agent counts while it rests, its garbage collected.
type reading map[string]float64

// quarantine is how long a flow name rests at most, and a moment more.
const quarantine = 4 * time.Second

// rest waits for the quarantine of the last names and reads.
func (a *agent) rest(ctx context.Context, profile string) (reading, error) {
	a.client.CloseIdleConnections()
	select {
	case <-ctx.Done():
		return nil, errors.New("interrupted")
	case <-time.After(quarantine):
		return a.read(ctx, profile)
	}
}

// read has the garbage collected and reads. The heap profile goes to the file
// if one is named.
func (a *agent) read(ctx context.Context, profile string) (reading, error) {
	if err := a.collect(ctx, profile); err != nil {
		return nil, err
	}
	return a.metrics(ctx)
}

// watchGoal returns the largest heap that the agent let itself grow to, when
// the context is done.
func (a *agent) watchGoal(ctx context.Context) (largest float64) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return largest
		case <-tick.C:
			if now, err := a.metrics(ctx); err == nil {
				largest = max(largest, now[heapGoal])
			}
		}
	}
}

// gauge is a number that must be as it was.
type gauge struct {
	name         string
	factor, more float64 // that it may have grown by
}

// gauges are what a daemon must give back.
var gauges = [...]gauge{
	// What the garbage collector cannot free: pools are empty, and the buckets
	// of maps and histograms come with the first use.
	{liveHeap, 1.1, 512 << 10},
	{"go_goroutines", 1, 2},
	{"process_open_fds", 1, 2},
	{"probe_agent_traces_running", 0, 0},
	{"probe_agent_flow_names_held", 0, 0},
	{"probe_agent_http_requests_in_flight", 0, 0},
	{"probe_agent_room_requests", 0, 0},
	{"probe_agent_room_requests_waiting", 0, 0},
	{"probe_agent_room_traces_running", 0, 0},
}

// never are counters of what must not happen.
var never = [...]string{
	`probe_agent_replies_total{fate="forged"}`, `probe_agent_replies_total{fate="malformed"}`,
	"probe_agent_probes_refused_total", "probe_agent_receive_errors_total", "probe_agent_receive_drops_total",
	`probe_agent_config_reloads_total{result="refused"}`,
}

// compare says what is not at the end as it was after the warm-up.
func (r reading) compare(after reading) error {
	var errs []error
	for _, g := range gauges {
		was, is := r[g.name], after[g.name]
		fmt.Printf("%-44s %12.0f after the warm-up %12.0f at the end\n", g.name, was, is)
		if _, there := after[g.name]; !there || is > was*g.factor+g.more {
			errs = append(errs, fmt.Errorf("%s went from %.0f to %.0f", g.name, was, is))
		}
	}
	for _, name := range never {
		n, there := after[name]
		fmt.Printf("%-44s %12.0f\n", name, n)
		if !there || n > 0 {
			errs = append(errs, fmt.Errorf("%s is %.0f", name, n))
		}
	}
	fmt.Printf("%-44s %12.0f\n", waits, after[waits])
	if after[waits] == 0 {
		errs = append(errs, errors.New("no trace had to wait for others: the bursts are none"))
	}
	return errors.Join(errs...)
}

// settled is how much of a heap the runtime keeps beyond its goal: it returns
// memory down to a tenth above it.
const settled = 1.1

// withinGoal holds resident memory at the end against what follows from GOGC:
// the idle agent without its heap, and the largest heap that the collector let
// grow.
func withinGoal(idle, after reading, goal float64) error {
	bound := idle[resident] - idle[liveHeap] + settled*goal + 8<<20 // stacks, and caches of threads
	fmt.Printf("%-44s %12.0f idle, %.0f at the end; at most %.0f with a heap of %.0f\n", resident, idle[resident], after[resident], bound, goal)
	if is := after[resident]; is == 0 || is > bound {
		return fmt.Errorf("%s is %.0f, more than %.0f", resident, is, bound)
	}
	return nil
}

// matches holds what the agent says that it sent against what left its host.
func (r reading) matches(counted uint64) error {
	fmt.Printf("%-44s %12.0f, counted on the wire %12d\n", sent, r[sent], counted)
	if counted == 0 || r[sent] != float64(counted) {
		return fmt.Errorf("%.0f probes sent, %d counted on the wire", r[sent], counted)
	}
	return nil
}
