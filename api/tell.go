package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"time"

	v1 "probe-agent/api/v1"
)

// heartbeat is for how long a stream is silent at most. Proxies drop
// connections that are silent for longer, by default after 30 to 60 s.
const heartbeat = 10 * time.Second

// tell writes a run as it gets on. It returns when all is told, with the error
// of the first write that failed, or with that of the run. A panic of the run
// comes out of it.
func tell(out *eventStream, live *liveRun, ray string) error {
	t := &teller{out: out, live: live, ray: ray, notes: make(v1.Notes)}
	quiet := time.NewTimer(heartbeat)
	defer quiet.Stop()
	for {
		select {
		case <-live.fresh:
			if err := t.news(); err != nil {
				return err
			}
			quiet.Reset(heartbeat)
		case <-quiet.C:
			if err := out.beat(); err != nil {
				return err
			}
			quiet.Reset(heartbeat)
		case <-live.finished:
			if live.panicked != nil {
				panic(live.panicked)
			}
			if live.err != nil {
				return live.err
			}
			if err := t.news(); err != nil {
				return err
			}
			t.end.DurationNS = live.run.took.Nanoseconds()
			return out.send(v1.EventEnd, t.end)
		}
	}
}

// teller knows what the client has been told.
type teller struct {
	out   *eventStream
	live  *liveRun
	ray   string
	told  []map[int][]byte // by trace, then TTL: the hop as it was last, without names
	notes v1.Notes         // of the addresses told so far
	end   v1.End
}

// news tells what has changed.
func (t *teller) news() error {
	begun, states := t.live.take()
	if begun != nil {
		t.told = make([]map[int][]byte, len(begun))
		for i := range t.told {
			t.told[i] = make(map[int][]byte)
		}
		if err := t.out.send(v1.EventStarted, v1.Started{RequestID: t.ray, Traces: begun}); err != nil {
			return err
		}
	}
	for _, s := range states {
		if err := t.state(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *teller) state(s traceState) error {
	if s.done != nil {
		if s.done.Trace != nil {
			t.end.Traced++
		} else {
			t.end.Failed++
		}
		return t.out.send(v1.EventDone, v1.Done{Trace: s.trace, Outcome: *s.done})
	}
	for _, hop := range s.hops {
		if err := t.hop(s.trace, hop); err != nil {
			return err
		}
	}
	// What is no longer there was beyond the end of the path.
	told := t.told[s.trace]
	for _, ttl := range slices.Sorted(maps.Keys(told)) {
		if ttl <= len(s.hops) {
			continue
		}
		if err := t.hop(s.trace, v1.Hop{TTL: ttl, Nodes: []v1.Node{}}); err != nil {
			return err
		}
		delete(told, ttl)
	}
	return nil
}

// hop tells a hop, unless it is as it was told last.
func (t *teller) hop(trace int, hop v1.Hop) error {
	told := t.told[trace]
	if hop.Sent == 0 && told[hop.TTL] == nil {
		return nil
	}
	form, err := json.Marshal(hop)
	if err != nil {
		panic(err) // a type without JSON form: a bug
	}
	if bytes.Equal(form, told[hop.TTL]) {
		return nil
	}
	told[hop.TTL] = form
	t.annotate(hop.Nodes)
	return t.out.send(v1.EventHop, v1.HopChange{Trace: trace, Hop: hop})
}

// annotate fills in what is known already of the nodes: the look-ups began
// when they were first heard of, and a live stream waits for none.
func (t *teller) annotate(nodes []v1.Node) {
	if t.live.service.annotator == nil {
		return
	}
	now, cancel := context.WithCancel(t.live.ctx)
	cancel()
	for i := range nodes {
		n := &nodes[i]
		if !n.IP.IsValid() {
			continue
		}
		if t.notes[n.IP].Name == "" {
			maps.Copy(t.notes, notesOf(t.live.service.annotator.Annotate(now, []netip.Addr{n.IP})))
		}
		n.Annotate(t.notes)
	}
}
