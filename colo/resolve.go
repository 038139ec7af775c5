package colo

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"probe-agent/lookup"
	"probe-agent/traceroute"
)

// resolveTimeout bounds how long a target's name is resolved, whatever the Resolver.
const resolveTimeout = lookup.TargetTimeout

// Resolver finds the addresses of a host name; *lookup.Service is one, and so is
// *net.Resolver.
type Resolver interface {
	// LookupNetIP takes the networks ip, ip4 and ip6. It returns soon after
	// ctx ends.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolve returns the addresses of target that are of family, at least one and
// never an IPv4-mapped one.
func (l *Local) resolve(ctx context.Context, target string, family traceroute.Family) ([]netip.Addr, *traceroute.Failure) {
	if err := lookup.CheckTarget(target); err != nil {
		return nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "the target " + err.Error()}
	}
	if addr, err := netip.ParseAddr(target); err == nil {
		if addr = addr.Unmap(); family.Allows(addr) {
			return []netip.Addr{addr}, nil
		}
		return nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "not " + inWords(family)}
	}
	name, err := lookup.ASCIIName(target)
	if err != nil {
		return nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "the target is " + err.Error()}
	}
	limited, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	network := [...]string{traceroute.AnyFamily: "ip", traceroute.IPv4Only: "ip4", traceroute.IPv6Only: "ip6"}[family]
	addrs, err := l.config.Resolver.LookupNetIP(limited, network, name)
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
	return nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "no such host with " + inWords(family)}
}

// lookupFailure says why a name has no address. ctx is the trace's, not the
// lookup's, whose end only means that the name servers are slow.
func lookupFailure(ctx context.Context, err error) *traceroute.Failure {
	if ctx.Err() != nil {
		return traceroute.FailureOf(err, context.Cause(ctx))
	}
	f := &traceroute.Failure{Code: traceroute.Unresolved, Reason: "the name could not be resolved", Err: err}
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case ok && dns.IsNotFound:
		f.Reason = "no such host"
	case ok && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		f.Reason = "the name server did not answer in time"
	}
	return f
}

func inWords(f traceroute.Family) string {
	return [...]string{traceroute.AnyFamily: "an address", traceroute.IPv4Only: "an IPv4 address", traceroute.IPv6Only: "an IPv6 address"}[f]
}
