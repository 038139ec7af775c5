//go:build linux

package main

import (
	"maps"
	"strings"
	"testing"
)

func TestReadingsThatDiffer(t *testing.T) {
	was := reading{
		liveHeap: 9 << 20, resident: 40 << 20, sent: 100, waits: 10,
		"go_goroutines": 25, "process_open_fds": 163, "probe_agent_traces_running": 0, "probe_agent_flow_names_held": 0,
		"probe_agent_http_requests_in_flight": 0, "probe_agent_room_requests": 0,
		"probe_agent_room_requests_waiting": 0, "probe_agent_room_traces_running": 0,
	}
	for _, name := range never {
		was[name] = 0
	}
	tests := []struct {
		name   string
		change map[string]float64 // at the end
		absent string
		want   string // in the error; none: it is as it was
	}{
		{name: "the same"},
		{name: "maps that grew a little", change: map[string]float64{liveHeap: 9<<20 + 900<<10}},
		{name: "a table kept at each reload", change: map[string]float64{liveHeap: 11 << 20}, want: liveHeap + " went from"},
		{name: "connections kept", change: map[string]float64{"process_open_fds": 166}, want: "process_open_fds went from 163 to 166"},
		{name: "a goroutine a request", change: map[string]float64{"go_goroutines": 60}, want: "go_goroutines"},
		{name: "a place not given back", change: map[string]float64{"probe_agent_room_traces_running": 1}, want: "probe_agent_room_traces_running"},
		{name: "a name not given back", change: map[string]float64{"probe_agent_flow_names_held": 1}, want: "probe_agent_flow_names_held"},
		{name: "a gauge that is no more", absent: "probe_agent_flow_names_held", want: "probe_agent_flow_names_held"},
		{name: "another's answer", change: map[string]float64{never[0]: 1}, want: never[0] + " is 1"},
		{name: "a counter that is no more", absent: never[0], want: never[0]},
		{name: "nobody waited", change: map[string]float64{waits: 0}, want: "no trace had to wait"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			is := maps.Clone(was)
			maps.Copy(is, tt.change)
			delete(is, tt.absent)
			expect(t, was.compare(is), tt.want)
		})
	}
}

func TestResidentMemoryFollowsTheGoal(t *testing.T) {
	idle := reading{resident: 40 << 20, liveHeap: 10 << 20}
	const goal = 50 << 20 // 30 + 1.1 × 50 + 8 = 93 MiB
	expect(t, withinGoal(idle, reading{resident: 92 << 20}, goal), "")
	expect(t, withinGoal(idle, reading{resident: 94 << 20}, goal), resident)
	expect(t, withinGoal(idle, reading{}, goal), resident)
}

func TestProbesOnTheWire(t *testing.T) {
	expect(t, reading{sent: 100}.matches(100), "")
	expect(t, reading{sent: 100}.matches(99), "100 probes sent, 99 counted")
	expect(t, reading{}.matches(0), "0 probes sent")
}

// expect holds that an error has a text in it, or that there is none.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want != "":
		t.Errorf("no error, want %q", want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("got %q, want %q", err, want)
	}
}
