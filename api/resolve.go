package api

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"probe-agent/lookup"
)

// resolveTimeout bounds the resolving of a target's name, whatever the Resolver.
const resolveTimeout = lookup.TargetTimeout

// Resolver finds the addresses of a host name; *lookup.Service is one, and so is
// *net.Resolver.
type Resolver interface {
	// LookupNetIP takes the networks ip, ip4 and ip6. It returns soon after
	// ctx ends.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolve returns the addresses of target that are of family, at least one and
// never an IPv4-mapped one. The error is a *Failure.
func (l *Local) resolve(ctx context.Context, target string, family Family) ([]netip.Addr, error) {
	if err := lookup.CheckTarget(target); err != nil {
		return nil, &Failure{Code: Unresolved, Reason: "the target " + err.Error()}
	}
	if addr, err := netip.ParseAddr(target); err == nil {
		if addr = addr.Unmap(); family.Allows(addr) {
			return []netip.Addr{addr}, nil
		}
		return nil, &Failure{Code: Unresolved, Reason: "not " + inWords(family)}
	}
	name, err := lookup.ASCIIName(target)
	if err != nil {
		return nil, &Failure{Code: Unresolved, Reason: "the target is " + err.Error()}
	}
	resolver := l.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	limited, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	network := [...]string{AnyFamily: "ip", IPv4Only: "ip4", IPv6Only: "ip6"}[family]
	addrs, err := resolver.LookupNetIP(limited, network, name)
	if err != nil {
		return nil, lookupFailure(ctx, err)
	}
	var usable []netip.Addr
	for _, addr := range addrs {
		if addr = addr.Unmap(); family.Allows(addr) {
			usable = append(usable, addr)
		}
	}
	if len(usable) > 0 {
		return usable, nil
	}
	return nil, &Failure{Code: Unresolved, Reason: "no such host with " + inWords(family)}
}

// lookupFailure says why a name has no address. ctx is the trace's, not the
// lookup's, whose end only means that the name servers are slow.
func lookupFailure(ctx context.Context, err error) *Failure {
	if ctx.Err() != nil {
		return outOfTime(ctx, err)
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
