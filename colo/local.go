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
func (l *Local) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) (err error) {
	defer panics.Catch(&err)
	ctx, cancel := context.WithCancelCause(ctx)
	var traces sync.WaitGroup
	defer func() { cancel(nil); traces.Wait() }() // also when reporting panics
	spec, invalid := batch.Spec.WithDefaults()
	batch.Spec = spec
	r := newReporter(batch, int(l.redact.Load()), events)
	for i, target := range batch.Targets {
		traces.Go(func() {
			end := ended{target: i}
			defer func() { r.ended <- end }()
			defer panics.Catch(&end.err)
			if invalid != nil {
				end.outcome = &traceroute.Outcome{Failure: unsent(invalid)}
				return
			}
			end.outcome = l.trace(ctx, target, spec, r.hops, r.feed(i))
		})
	}
	return r.report(cancel)
}

// trace traces one target, without the first hops.
func (l *Local) trace(ctx context.Context, target string, spec traceroute.Spec, hops int, feed prober.Feed) *traceroute.Outcome {
	started := time.Now()
	addrs, failure := l.prepare(ctx, target, spec.Family)
	if failure == nil {
		spec.Target = addrs[0]
		result, err := l.config.Tracer.TraceFirst(ctx, spec, addrs, feed)
		switch {
		case err == nil:
			return &traceroute.Outcome{Result: traceroute.Redact(result, hops), Took: result.Duration}
		case ctx.Err() != nil:
			failure = traceroute.FailureOf(err, context.Cause(ctx))
		default:
			failure = unsent(err)
		}
	}
	return &traceroute.Outcome{Failure: failure, Took: time.Since(started)}
}

// prepare returns the addresses of the target that may be probed, at least one.
func (l *Local) prepare(ctx context.Context, target string, wanted traceroute.Family) ([]netip.Addr, *traceroute.Failure) {
	own := l.config.Family
	if own != traceroute.AnyFamily && wanted != traceroute.AnyFamily && own != wanted {
		return nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "this colo traces " + own.String() + " only"}
	}
	addrs, failure := l.resolve(ctx, target, max(own, wanted)) // the one that restricts, if any does
	if failure == nil {
		addrs, failure = l.permitted(target, addrs)
	}
	return addrs, failure
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
