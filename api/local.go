package api

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"probe-agent/prober"
)

// resolveTimeout bounds the resolving of a target's name. A resolver with
// several dead servers can take longer than a whole request may.
const resolveTimeout = 10 * time.Second

// Tracer runs one traceroute; *prober.Engine is one.
type Tracer interface {
	Trace(ctx context.Context, spec prober.Spec) (*prober.Result, error)
}

// Resolver finds the addresses of a host name; *net.Resolver is one.
type Resolver interface {
	// LookupNetIP takes the networks ip, ip4 and ip6. It returns soon after
	// ctx ends.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Family restricts which addresses of a target are traced.
type Family = prober.Family

// The families.
const (
	AnyFamily = prober.AnyFamily
	IPv4Only  = prober.IPv4Only
	IPv6Only  = prober.IPv6Only
)

// Local is the colo that this process is.
type Local struct {
	ColoName string // short name, like den01; see CheckColoName
	CityName string // the place in words
	Tracer   Tracer
	Resolver Resolver // nil: net.DefaultResolver
	Family   Family   // of all traces; Spec.Family narrows it further

	redact atomic.Int32 // hops; see RedactHops
}

// Name returns ColoName.
func (l *Local) Name() string { return l.ColoName }

// City returns CityName.
func (l *Local) City() string { return l.CityName }

// Trace resolves target and traces its first address, in the order of the
// resolver, that its own family and that of spec allow. Every error is a
// *Failure.
func (l *Local) Trace(ctx context.Context, target string, spec prober.Spec) (*prober.Result, error) {
	if l.Family != AnyFamily && spec.Family != AnyFamily && l.Family != spec.Family {
		return nil, &Failure{Code: Unresolved, Reason: "this colo traces " + l.Family.String() + " only"}
	}
	family := max(l.Family, spec.Family) // the one that restricts, if any does
	addr, err := l.resolve(ctx, target, family)
	if err != nil {
		return nil, err
	}
	if !traceable(addr) {
		return nil, &Failure{Code: Forbidden, Reason: addr.String() + " is not the address of a host"}
	}
	spec.Target = addr
	hops := int(l.redact.Load())
	result, err := l.Tracer.Trace(ctx, discreet(spec, hops))
	switch {
	case err == nil:
		return prober.Redact(result, hops), nil
	case ctx.Err() != nil:
		return nil, &Failure{Code: TimedOut, Reason: "did not answer in time", Err: err}
	}
	return nil, &Failure{Code: Unsent, Reason: "could not send: " + strings.TrimPrefix(err.Error(), "prober: "), Err: err}
}

// resolve returns the address of target that is of family, never an
// IPv4-mapped one.
func (l *Local) resolve(ctx context.Context, target string, family Family) (netip.Addr, error) {
	if err := CheckTarget(target); err != nil {
		return netip.Addr{}, &Failure{Code: Unresolved, Reason: "the target " + err.Error()}
	}
	if addr, err := netip.ParseAddr(target); err == nil {
		if addr = addr.Unmap(); family.Allows(addr) {
			return addr, nil
		}
		return netip.Addr{}, &Failure{Code: Unresolved, Reason: "not " + inWords(family)}
	}
	resolver := l.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	lookup, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	network := [...]string{AnyFamily: "ip", IPv4Only: "ip4", IPv6Only: "ip6"}[family]
	addrs, err := resolver.LookupNetIP(lookup, network, target)
	if err != nil {
		return netip.Addr{}, lookupFailure(ctx, err)
	}
	for _, addr := range addrs {
		if addr = addr.Unmap(); family.Allows(addr) {
			return addr, nil
		}
	}
	return netip.Addr{}, &Failure{Code: Unresolved, Reason: "no such host with " + inWords(family)}
}

// lookupFailure says why a name has no address. ctx is the trace's, not the
// lookup's, whose end only means that the name servers are slow.
func lookupFailure(ctx context.Context, err error) *Failure {
	if ctx.Err() != nil {
		return &Failure{Code: TimedOut, Reason: "did not answer in time", Err: err}
	}
	f := &Failure{Code: Unresolved, Reason: "the name could not be resolved", Err: err}
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case ok && dns.IsNotFound:
		f.Reason = "no such host"
	case ok && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		f.Reason = "the name server did not answer in time"
	}
	return f
}

func inWords(f Family) string {
	return [...]string{AnyFamily: "an address", IPv4Only: "an IPv4 address", IPv6Only: "an IPv6 address"}[f]
}

// traceable reports whether addr can be the address of one host. A path to
// many hosts at once does not exist, and the unspecified address means this
// host or any, depending on whom one asks.
func traceable(addr netip.Addr) bool {
	return !addr.IsUnspecified() && !addr.IsMulticast() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
