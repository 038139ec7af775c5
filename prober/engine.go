package prober

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
	"probe-agent/traceroute"
)

// Rates for a host that has other things to do as well.
const (
	// DefaultRate is what an edge host spares without noticing: 10,000
	// probes a second are about 5 Mbit/s.
	DefaultRate = 10_000
	// DefaultNearHopRate keeps one host from using up what its first routers
	// answer to everybody.
	DefaultNearHopRate = 500
	// DefaultPrefixRate is a tenth of what the host sends at most: no network
	// gets more, whoever asks. Ten traces of 30 hops each to one network, or as
	// many UDP traces as one target takes, are not held up by it.
	DefaultPrefixRate = 1000
)

// Options of an Engine. A rate of 0 is no limit.
type Options struct {
	Rate        float64 // probes per second, all traces together
	NearHopRate float64 // probes per second to each of the first three TTLs, by egress
	// PrefixRate is the most probes to one destination prefix, a /24 of IPv4 or
	// a /48 of IPv6, that leave within any second, all traces together: whole
	// probes, at least one.
	PrefixRate float64
}

// ErrClosed is returned by Trace when the engine is closed.
var ErrClosed = errors.New("prober: engine is closed")

// ErrCapacity is matched when a trace could not start, or not go on, because
// other traces held the identifiers that it needs for as long as it could wait.
var ErrCapacity = errors.New("prober: too many traces at once")

// Engine runs traces over one Transport. All methods are safe for concurrent
// use. The engine owns its goroutines: one that plans, one that sends for each
// tx queue of the transport, and one that receives for each of its queues; they
// end with Close.
type Engine struct {
	transport Transport
	base      time.Time
	txQueues  []*txQueue
	queues    []packet.Receiver
	routings  routings

	sent       atomic.Uint64 // probes handed to the network
	busyTraces atomic.Int64  // traces whose latest probe found no room

	// stamping is held from taking stamps out of the transport until they are
	// applied: a caller that drains an empty queue is guaranteed that earlier
	// stamps have been applied. Locked before mu.
	stamping sync.Mutex

	mu        sync.Mutex // guards everything below
	clock     clockWatch
	arrivals  arrivals
	unheard   []*trace // wait for what has arrived to be heard
	registry  *ident.Registry[*trace]
	schedule  schedule
	rate      pacing.Pacer
	hops      *pacing.HopLimiter
	limits    limits
	prefixes  *pacing.PrefixLimiter
	running   map[*trace]struct{}
	totals    totals
	nextQueue int          // the tx queue that is served next
	sleeping  mono.Instant // when the sender wakes by itself
	closed    bool

	wake chan struct{} // capacity 1: the sender has something new to look at
	stop chan struct{} // closed by Close

	sender    sync.WaitGroup
	receivers sync.WaitGroup
}

// New starts an engine on the transport, which it closes in Close.
func New(transport Transport, o Options) (*Engine, error) {
	ports := transport.Ports()
	if len(ports) < traceroute.PacketsPerTTLLimit && needsPorts(transport) {
		return nil, fmt.Errorf("prober: transport holds %d source ports, at least %d are needed", len(ports), traceroute.PacketsPerTTLLimit)
	}
	e := &Engine{
		transport: transport,
		base:      time.Now(),
		registry:  ident.New[*trace](ports),
		rate:      pacing.NewPacer(o.Rate, 1),
		hops:      pacing.NewHopLimiter(o.NearHopRate),
		prefixes:  pacing.NewPrefixLimiter(o.PrefixRate),
		queues:    transport.Receivers(),
		running:   make(map[*trace]struct{}),
		wake:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
	}
	e.limits.hops = e.hops
	e.arrivals = make(arrivals, len(e.queues))
	for index, sender := range transport.Senders() {
		e.txQueues = append(e.txQueues, newTxQueue(index, sender))
	}
	e.schedule = newSchedule(len(e.txQueues))
	e.sender.Go(e.runSender)
	for queue := range e.queues {
		e.receivers.Go(func() { e.runReceiver(queue) })
	}
	return e, nil
}

// Close ends every trace with ErrClosed, stops the goroutines and closes the
// transport. Further calls do nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	for t := range e.running {
		t.err = ErrClosed
		e.finish(t)
	}
	e.mu.Unlock()
	close(e.stop)
	e.sender.Wait() // the transport must not be closed under a Send
	err := e.transport.Close()
	e.receivers.Wait()
	return err
}

// SetRates changes how fast probes are sent, also those of traces under way;
// a PrefixRate where there was none holds for traces that start from now on.
func (e *Engine) SetRates(o Options) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rate.SetRate(o.Rate, 1)
	e.hops.SetRate(o.NearHopRate)
	e.prefixes.SetRate(o.PrefixRate)
	// Traces that sleep have computed their wake-up from the old rates.
	now := e.now()
	for t := range e.running {
		e.schedule.push(t)
	}
	e.rouse(now.mono)
}

// Trace runs one traceroute and returns what it learned. It ends when the
// path is known and every probe on it is answered or has had its wait. When
// ctx ends first, sending stops at once and the error wraps ctx.Err(). What it
// learns meanwhile goes to the feed.
//
// Other errors: a Spec out of range; no route to the Target, or a method that the
// transport does not support (a *RouteError); or
// packets that the host refuses to send (wrapping the system's error);
// ErrCapacity; ErrClosed.
func (e *Engine) Trace(ctx context.Context, spec traceroute.Spec, feed Feed) (*traceroute.Result, error) {
	spec, err := spec.Complete()
	if err != nil {
		return nil, fmt.Errorf("prober: %w", err)
	}
	if err := e.supports(&spec); err != nil {
		return nil, err
	}
	var traces []*trace
	changes, news := newChanges(feed), make(chan struct{}, 1)
	for _, typ := range methodTypes[spec.Method] {
		t := newTrace(spec, typ, strategyOf(&spec, typ), rand.Uint64(), news)
		t.changes = changes
		traces = append(traces, t)
	}
	if len(traces) == 2 {
		traces[0].companion, traces[1].companion = traces[1], traces[0]
	}
	return e.run(ctx, traces)
}

// methodTypes are the types of probe that each method sends, one trace each: the
// one of its name, or the parts of GREICMP.
var methodTypes = func() [][]packet.Type {
	types := [][]packet.Type{traceroute.GREICMP: {packet.GREEcho, packet.ICMP}}
	for _, m := range traceroute.Methods() {
		for _, t := range packet.Types() {
			if t.String() == m.String() {
				types = slices.Grow(types, int(m)+1)[:max(len(types), int(m)+1)]
				types[m] = []packet.Type{t}
			}
		}
	}
	return types
}()

// now reads both clocks. The caller holds mu.
func (e *Engine) now() moment { return e.clock.read(e.reading) }

func (e *Engine) reading() moment {
	t := time.Now()
	return moment{mono: mono.Instant(t.Sub(e.base)), wall: t.UnixNano()}
}
