// Package colo is the colo that this process is: it resolves targets, checks
// them against the policy, traces them with its own engine, and hides its own
// network in what it reports.
package colo

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"probe-agent/internal/panics"
	"probe-agent/policy"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// Tracer runs one traceroute; *prober.Engine is one.
type Tracer interface {
	// TraceFirst traces the first of targets that can be sent to.
	TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error)
}

// Policy decides which addresses may be probed; *policy.Policy is one.
type Policy interface {
	// Check returns nil when addr, never an IPv4-mapped one, may be probed. The
	// error completes a sentence that starts with the address, and is shown to
	// the client. Safe for concurrent use.
	Check(addr netip.Addr) error
}

// Config is what a Local works with.
type Config struct {
	Info     traceroute.Colo
	Tracer   Tracer
	Resolver Resolver          // nil: net.DefaultResolver
	Family   traceroute.Family // of all traces; that of a Spec narrows it further
	Policy   Policy            // nil: every address that can be one host's may be probed
}

// Local is the colo that this process is. It is safe for concurrent use.
type Local struct {
	config Config
	redact atomic.Int32 // hops; see RedactHops
}

// New returns a Local.
func New(c Config) *Local {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Policy == nil {
		c.Policy = new(policy.Policy)
	}
	return &Local{config: c}
}

// Info returns the name and the city of the colo.
func (l *Local) Info() traceroute.Colo { return l.config.Info }

// RedactHops hides who answers within the first hops, in traces that start from
// now on; 0 hides nothing. No event that Trace sends tells them; see
// traceroute.Redact.
func (l *Local) RedactHops(hops int) {
	l.redact.Store(int32(min(max(hops, 0), traceroute.MaxTTLLimit)))
}

// Trace traces all targets at once. Each is resolved, once, and its first
// address is traced, in the order of the resolver, that the families, its own and
// that of the batch, and the policy allow and that this host can send to.
//
// It sends what happens to events, exactly one Outcome for each target last, and
// waits for the receiver, which must receive until Trace returns. It returns
// when all have ended, soon after ctx ends. The error is a *panics.Error; targets
// may have no Outcome then.
func (l *Local) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if len(batch.Targets) == 1 {
		return l.trace(ctx, cancel, batch, 0, events)
	}
	var traces sync.WaitGroup
	var first panicked
	for i := range batch.Targets {
		traces.Go(func() {
			if err := l.trace(ctx, cancel, batch, i, events); err != nil {
				first.set(err)
				cancel(err)
			}
		})
	}
	traces.Wait()
	return first.err
}

// panicked keeps the first error that it is given.
type panicked struct {
	once sync.Once
	err  error
}

func (p *panicked) set(err error) { p.once.Do(func() { p.err = err }) }

// trace traces one target of the batch. The error is a *panics.Error.
func (l *Local) trace(ctx context.Context, cancel context.CancelCauseFunc, batch traceroute.Batch, target int, events chan<- traceroute.Event) (err error) {
	defer panics.Catch(&err)
	started := time.Now()
	outcome := new(traceroute.Outcome)
	spec, addrs, failure := l.prepare(ctx, batch.Targets[target], batch.Spec)
	if failure == nil {
		f := newFollower(target, batch.Live, spec, addrs[0], int(l.redact.Load()), events)
		outcome.Result, failure, err = f.follow(ctx, cancel, l.config.Tracer, addrs)
		if err != nil {
			return err
		}
	}
	if failure != nil {
		outcome.Failure, outcome.Took = failure, time.Since(started)
	} else {
		outcome.Took = outcome.Result.Duration
	}
	events <- traceroute.Event{Target: target, Outcome: outcome}
	return nil
}

// prepare returns how to trace the target, and its addresses that may be probed,
// at least one.
func (l *Local) prepare(ctx context.Context, target string, spec traceroute.Spec) (traceroute.Spec, []netip.Addr, *traceroute.Failure) {
	own := l.config.Family
	if own != traceroute.AnyFamily && spec.Family != traceroute.AnyFamily && own != spec.Family {
		return spec, nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "this colo traces " + own.String() + " only"}
	}
	complete, err := spec.WithDefaults()
	if err != nil {
		return spec, nil, unsent(err)
	}
	family := max(own, spec.Family) // the one that restricts, if any does
	addrs, failure := l.resolve(ctx, target, family)
	if failure == nil {
		addrs, failure = l.permitted(target, addrs)
	}
	return complete, addrs, failure
}

// permitted returns those of addrs, target's, that may be probed, at least one. A
// client that named the address is told it again; what a name resolves to in
// this network is not for the client to know.
func (l *Local) permitted(target string, addrs []netip.Addr) ([]netip.Addr, *traceroute.Failure) {
	var allowed []netip.Addr
	var refusal error // of the first
	for _, addr := range addrs {
		err := l.config.Policy.Check(addr)
		if err == nil {
			allowed = append(allowed, addr)
		} else if refusal == nil {
			refusal = err
		}
	}
	if len(allowed) > 0 {
		return allowed, nil
	}
	subject := "its address"
	if _, err := netip.ParseAddr(target); err == nil {
		subject = addrs[0].String()
	}
	return nil, &traceroute.Failure{Code: traceroute.Forbidden, Reason: fmt.Sprintf("%s %v", subject, refusal)}
}

// unsent is the failure of a trace that the engine refused.
func unsent(err error) *traceroute.Failure {
	words := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "prober: "), "traceroute: ")
	return &traceroute.Failure{Code: traceroute.Unsent, Reason: "could not send: " + words, Err: err}
}
