package prober

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/mono"
	"probe-agent/prober/strategy"
	"probe-agent/traceroute"
)

// growing sends one probe to TTL 1 on its first flow, and on many more as soon
// as that is answered, however long it has to wait for them.
type growing struct {
	more     uint16
	asked    bool
	flows    int
	sent     int
	answered int
}

func (g *growing) Flows() int { return 1 }

func (g *growing) Start(mono.Instant) { g.flows = 1 }

func (g *growing) Next(now, _ mono.Instant, _ strategy.Limits) strategy.Step {
	switch {
	case g.sent < g.flows:
		return strategy.Step{Action: strategy.Send, Flow: uint16(g.sent), TTL: 1}
	case g.answered == g.sent && !g.asked:
		return strategy.Step{Action: strategy.Allocate, Flows: g.more, Waits: true}
	case g.answered == 1+int(g.more):
		return strategy.Step{Action: strategy.Finish}
	}
	return strategy.Step{Wake: now.Add(time.Second)}
}

func (g *growing) Allocating()                          { g.asked = true }
func (g *growing) Allocated(flows int)                  { g.flows += flows }
func (g *growing) Sent(flow, _ int, _ mono.Instant)     { g.sent = max(g.sent, flow+1) }
func (g *growing) Withdrawn(flow, _ int)                { g.sent = min(g.sent, flow) }
func (g *growing) Answered(strategy.Answer) (int, bool) { g.answered++; return 0, false }
func (g *growing) Reassess(int, strategy.Assessment)    {}
func (g *growing) Limit(int)                            {}
func (g *growing) Wants(int, int) bool                  { return true }
func (g *growing) End() strategy.End                    { return strategy.End{TTL: 1} }

// TestFlowsOnDemand: a strategy gets as many flows as it asks for, waits for
// those that others have, and ends with its context while it waits.
func TestFlowsOnDemand(t *testing.T) {
	for _, typ := range []packet.Type{packet.ICMP, packet.UDP} {
		synctest.Test(t, func(t *testing.T) {
			network, err := netsim.New(netsim.Chain(3, 10*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			engine, err := New(netsim.NewMemory(network, network.Host()), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			grow := func(ctx context.Context, more uint16) (*traceroute.Result, error) {
				spec, err := traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), Port: 33434, MaxTTL: 1}.Complete()
				if err != nil {
					t.Fatal(err)
				}
				return engine.run(ctx, []*trace{newTrace(spec, typ, &growing{more: more}, 1, make(chan struct{}, 1))})
			}
			const more = 200 // of 256 ports
			started := time.Now()
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					result, err := grow(t.Context(), more)
					if err != nil || len(result.Probes) != 1+more {
						t.Errorf("%v: %v", typ, err)
						return
					}
					for i, p := range result.Probes {
						if int(p.Flow) != i || p.Answer == nil {
							t.Errorf("%v: probe %d: %+v", typ, i, p)
						}
					}
				})
			}
			if typ.HasPorts() {
				time.Sleep(9 * time.Millisecond) // by now one has them, and the other waits
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				if _, err := grow(ctx, more); !errors.Is(err, ErrCapacity) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: error %v", typ, err)
				}
			}
			wg.Wait()
			// The second waits for the first one's quarantine.
			if waited := time.Since(started) > time.Second; waited != typ.HasPorts() {
				t.Errorf("%v: took %v", typ, time.Since(started))
			}
			if held := engine.Totals(); held.Running != 0 {
				t.Errorf("%v: %+v", typ, held)
			}
		})
	}
}

// TestWaitingForFlows: while a trace waits for flows that another one has, its
// feed is updated, and it ends when it is given up; flows that the host does not
// have are not waited for.
func TestWaitingForFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, err := netsim.New(netsim.Chain(3, 10*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		transport := netsim.NewMemory(network, network.Host())
		engine, err := New(transport, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		spec, err := traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), Port: 33434, MaxTTL: 1}.Complete()
		if err != nil {
			t.Fatal(err)
		}
		start := func(more uint16, feed Feed) (*trace, chan error) {
			one := newTrace(spec, packet.UDP, &growing{more: more}, 1, make(chan struct{}, 1))
			one.changes = newChanges(feed)
			traces, ended := []*trace{one}, make(chan error, 1)
			go func() {
				_, err := engine.run(t.Context(), traces)
				ended <- err
			}()
			return one, ended
		}
		ports := len(transport.Ports())
		other := ident.Lease[*trace]{Type: packet.UDP, Target: spec.Target, Port: uint16(spec.Port), MaxTTL: 1}
		if !engine.registry.TryReserve(0, ident.Request[*trace]{Lease: &other, Flows: ports - 10}) {
			t.Fatal("no ports")
		}
		updates := make(chan Update, 10)
		waiting, ended := start(20, Feed{Updates: updates})
		start(uint16(ports), Feed{})
		time.Sleep(time.Second)
		if len(updates) == 0 {
			t.Error("no update while it waits")
		}
		engine.mu.Lock()
		engine.giveUp(waiting, errors.New("test"))
		engine.mu.Unlock()
		synctest.Wait()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("it ended without an error")
			}
		default:
			t.Error("it waits still")
		}
		engine.mu.Lock()
		left := engine.registry.Waiting()
		engine.mu.Unlock()
		if left {
			t.Error("something waits still")
		}
	})
}

// losingRoutes has no route but for the first time.
type losingRoutes struct {
	*netsim.Memory
	lost bool
}

func (l *losingRoutes) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	if l.lost {
		return syscall.ENETUNREACH
	}
	l.lost = true
	return l.Memory.Routes(flows, routes)
}

// TestRouteLostWhileTracing: a *RouteError says that nothing was sent, so that
// another address is tried. A trace under way fails otherwise.
func TestRouteLostWhileTracing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, err := netsim.New(netsim.Chain(3, 10*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		engine, err := New(&losingRoutes{Memory: netsim.NewMemory(network, network.Host())}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		spec, err := traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), MaxTTL: 1}.Complete()
		if err != nil {
			t.Fatal(err)
		}
		one := newTrace(spec, packet.ICMP, &growing{more: 1}, 1, make(chan struct{}, 1))
		if _, err := engine.run(t.Context(), []*trace{one}); !errors.Is(err, syscall.ENETUNREACH) || isRouteError(err) {
			t.Errorf("error %v", err)
		}
	})
}
