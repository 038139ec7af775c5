package api

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"probe-agent/policy"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// Tracer runs one traceroute; *prober.Engine is one.
type Tracer interface {
	TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error)
}

// Family restricts which addresses of a target are traced.
type Family = traceroute.Family

// The families.
const (
	AnyFamily = traceroute.AnyFamily
	IPv4Only  = traceroute.IPv4Only
	IPv6Only  = traceroute.IPv6Only
)

// Policy decides which addresses may be probed; *policy.Policy is one.
type Policy interface {
	// Check returns nil when addr, never an IPv4-mapped one, may be probed. The
	// error completes a sentence that starts with the address, and is told to
	// whoever asked. Safe for concurrent use.
	Check(addr netip.Addr) error
}

// Local is the colo that this process is.
type Local struct {
	ColoName string // short name, like den01; see CheckColoName
	CityName string // the place in words
	Tracer   Tracer
	Resolver Resolver // nil: net.DefaultResolver
	Family   Family   // of all traces; Spec.Family narrows it further
	Policy   Policy   // nil: every address that can be one host's may be probed

	redact atomic.Int32 // hops; see RedactHops
}

// Name returns ColoName.
func (l *Local) Name() string { return l.ColoName }

// City returns CityName.
func (l *Local) City() string { return l.CityName }

// Trace resolves target, once, and traces its first address, in the order of
// the resolver, that its own family, that of spec and the policy allow, and
// that this host can send to. Every error is a *Failure.
func (l *Local) Trace(ctx context.Context, target string, spec Spec) (*traceroute.Result, error) {
	if l.Family != AnyFamily && spec.Family != AnyFamily && l.Family != spec.Family {
		return nil, &Failure{Code: Unresolved, Reason: "this colo traces " + l.Family.String() + " only"}
	}
	family := max(l.Family, spec.Family) // the one that restricts, if any does
	addrs, err := l.resolve(ctx, target, family)
	if err != nil {
		return nil, err
	}
	allowed, err := l.permitted(target, addrs)
	if err != nil {
		return nil, err
	}
	hops := int(l.redact.Load())
	feed, end := follow(spec, allowed, hops)
	defer end()
	result, err := l.Tracer.TraceFirst(ctx, spec.Spec, allowed, feed)
	end()
	switch {
	case err == nil:
		return traceroute.Redact(result, hops), nil
	case ctx.Err() != nil:
		return nil, outOfTime(ctx, err)
	}
	return nil, &Failure{Code: Unsent, Reason: "could not send: " + strings.TrimPrefix(err.Error(), "prober: "), Err: err}
}

// permitted returns those of addrs, target's, that may be probed, at least one. A
// client that named the address is told it again; what a name resolves to in
// this network is nothing to tell.
func (l *Local) permitted(target string, addrs []netip.Addr) ([]netip.Addr, error) {
	rules := l.Policy
	if rules == nil {
		rules = new(policy.Policy)
	}
	var allowed []netip.Addr
	var refusal error // of the first
	for _, addr := range addrs {
		err := rules.Check(addr)
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
	return nil, &Failure{Code: Forbidden, Reason: fmt.Sprintf("%s %v", subject, refusal)}
}

// follow returns a feed that is reported to the functions of the spec, until
// end is called.
func follow(spec Spec, targets []netip.Addr, hops int) (feed prober.Feed, end func()) {
	responders, updates := make(chan traceroute.Responder, 256), make(chan prober.Update, 1)
	stop, ended := make(chan struct{}), make(chan struct{})
	redactor := traceroute.NewRedactor(targets[0], netip.Addr{}, max(1, hops))
	go func() {
		defer close(ended)
		var so [traceroute.MaxTTLLimit + 1][]traceroute.Probe
		for {
			select {
			case <-stop:
				return
			case r := <-responders:
				if spec.Heard != nil && (hops == 0 || !redactor.Hides(r)) {
					spec.Heard(r.Addr, r.TTL)
				}
			case u := <-updates:
				for _, ttl := range u.TTLs {
					so[ttl] = nil
				}
				for _, p := range u.Probes {
					so[p.TTL] = append(so[p.TTL], p)
				}
				r := &traceroute.Result{Spec: spec.Spec, Duration: u.Elapsed, Probes: slices.Concat(so[:]...)}
				r.Spec.Target = targets[0]
				if completed, err := r.Spec.Complete(); err == nil {
					r.Spec = completed
				}
				spec.Progress(traceroute.Redact(r, hops))
			}
		}
	}()
	feed.Responders = responders
	if spec.Progress != nil {
		feed.Updates = updates
	}
	return feed, sync.OnceFunc(func() { close(stop); <-ended })
}
