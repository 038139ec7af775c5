package service

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/colo"
	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/quota"
	"probe-agent/traceroute"
)

// faulty is a transport that panics where it is told to.
type faulty struct {
	*netsim.Memory
	routes func()
}

func (f *faulty) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	f.routes()
	return f.Memory.Routes(flows, routes)
}

// prefetching is an Annotator that does something when a node has answered.
type prefetching func()

func (f prefetching) Prefetch(netip.Addr) { f() }

func (prefetching) Annotate(context.Context, []netip.Addr) traceroute.Notes { return nil }

// However a run ends, the engine under it holds no trace any more, and no
// identifier when those in quarantine are free again.
func TestNothingIsHeld(t *testing.T) {
	nothing := func() {}
	tests := map[string]struct {
		end        func(run *Run, roster *Roster) // after a second
		prefetch   func()
		routes     func()
		want       string // of the run's error
		wantTraces string
	}{
		"cancelled": {end: func(run *Run, _ *Roster) { run.Cancel() }, wantTraces: "timed-out: cancelled"},
		"colo left": {end: func(_ *Run, roster *Roster) { roster.Remove("sim01") }, wantTraces: "timed-out: left while the trace was under way"},
		"annotator": {prefetch: func() { panic("annotator") }, want: "panic: annotator"},
		"tracer":    {routes: func() { panic("tracer") }, want: "panic: tracer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, f := range []*func(){&tt.prefetch, &tt.routes} {
					if *f == nil {
						*f = nothing
					}
				}
				silent := netsim.Chain(2, 10*time.Millisecond)
				silent.Target.Silent = true
				network, err := netsim.New(silent)
				if err != nil {
					t.Fatal(err)
				}
				engine, err := prober.New(&faulty{netsim.NewMemory(network, network.Host()), tt.routes}, prober.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := engine.Close(); err != nil {
						t.Error(err)
					}
				}()
				s, roster := newService(t, prefetching(tt.prefetch), colo.New(colo.Config{Info: traceroute.Colo{Name: "sim01"}, Tracer: engine}))
				limiter, ticket := admitted(t, quota.Default())
				target := silent.Addresses()[0].String()
				run, err := s.Start(t.Context(), check(t, s, Request{
					Targets: []string{target, target}, Spec: traceroute.Spec{Wait: traceroute.MaxWait}, Live: true,
				}), ticket)
				if err != nil {
					t.Fatal(err)
				}
				if tt.end != nil {
					time.AfterFunc(time.Second, func() { tt.end(run, roster) })
				}
				started := time.Now()
				outcomes, err := run.Wait(t.Context())
				if took := time.Since(started); took > time.Second {
					t.Errorf("took %v", took)
				}
				if tt.want != "" && (err == nil || err.Error() != tt.want) {
					t.Errorf("error %v", err)
				}
				for i := range outcomes {
					if got := describe(&outcomes[i]); got != tt.wantTraces {
						t.Errorf("trace %d: %s", i, got)
					}
				}
				ticket.Close()
				if stats := limiter.Stats(); stats.Admitted+stats.Running != 0 {
					t.Errorf("%+v", stats)
				}
				if totals := engine.Totals(); totals.Running != 0 {
					t.Errorf("%d traces run", totals.Running)
				}
				time.Sleep(2 * traceroute.MaxWait)
				if totals := engine.Totals(); totals.NamesHeld != 0 {
					t.Errorf("%d identifiers are held", totals.NamesHeld)
				}
			})
		})
	}
}
