package pulse

import (
	"context"
	"errors"
	"testing"

	"probe-agent/prober"
	"probe-agent/traceroute"
)

// patient is an engine whose ailments a test sets.
type patient struct {
	totals prober.Totals
	err    error
	stop   traceroute.Stop
	stuck  bool
	traces int
}

func (p *patient) Totals() prober.Totals { return p.totals }

func (p *patient) Trace(ctx context.Context, _ traceroute.Spec, _ prober.Feed) (*traceroute.Result, error) {
	p.traces++
	if p.stuck {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &traceroute.Result{Stop: p.stop}, p.err
}

func TestCheck(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(name string, p *Pulse, healthy bool) {
		t.Helper()
		if err := p.Check(ended); (err == nil) != healthy {
			t.Errorf("%s: error %v", name, err)
		}
	}
	engine := &patient{stop: traceroute.Exhausted}
	p := New(engine)
	check("loopback has never answered", p, true)
	engine.stop = traceroute.Reached
	check("it answers", p, true)
	engine.stop = traceroute.Exhausted
	check("and no longer: the receiver is stuck", p, false)
	engine.stop = traceroute.Reached
	check("it answers again", p, true)

	engine.stuck = true
	check("the sender is stuck", p, false)
	engine.totals.Sent++
	check("it sends, and nothing comes back", p, false)
	engine.totals.Sent++
	engine.totals.Matched++
	traces := engine.traces
	check("it has enough to do", p, true)
	if engine.traces != traces {
		t.Error("a busy engine was probed")
	}
	engine.stuck, engine.err = false, errors.New("no route")
	check("it cannot send", p, false)
}
