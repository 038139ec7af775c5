package lookup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// TargetTimeout bounds the resolving of a target's name.
	TargetTimeout = 5 * time.Second
	// resolutionDelay is how long addresses of one family wait for those of the
	// other (RFC 8305 section 3).
	resolutionDelay = 50 * time.Millisecond
	// targetAttempts is how often every server is asked, unless resolv.conf
	// says otherwise.
	targetAttempts = 3
)

// LookupNetIP returns the addresses of host, at least one, never an IPv4-mapped
// one, in the order of RFC 6724. The network is ip, ip4 or ip6. The name is looked for in the hosts
// file, then asked of the name servers, by the search list and options of
// resolv.conf(5).
//
// The families are asked for separately and concurrently. Once one has
// addresses the other has 50 ms left; all in all it takes at most
// TargetTimeout. The error is a *net.DNSError.
func (s *Service) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	kinds, known := map[string][]uint16{
		"ip": {dns.TypeA, dns.TypeAAAA}, "ip4": {dns.TypeA}, "ip6": {dns.TypeAAAA},
	}[network]
	if !known {
		return nil, &net.DNSError{Err: "invalid network " + network, Name: host}
	}
	ofFamily := func(addrs []netip.Addr) []netip.Addr {
		return slices.DeleteFunc(addrs, func(addr netip.Addr) bool {
			return network == "ip4" && !addr.Is4() || network == "ip6" && !addr.Is6()
		})
	}
	addrs := ofFamily(hostsAddrs(s.hosts, host))
	if len(addrs) == 0 {
		var err error
		if addrs, err = s.resolve(ctx, host, kinds); err != nil {
			return nil, resolveError(host, err)
		}
		if addrs = ofFamily(addrs); len(addrs) == 0 {
			return nil, resolveError(host, errNoAddress)
		}
	}
	s.sortAddrs(ctx, addrs)
	return addrs, nil
}

// errNoAddress is that name servers know of no address.
var errNoAddress = errors.New("no such host")

// resolveError is err as net's resolver would have it.
func resolveError(host string, err error) error {
	return &net.DNSError{
		UnwrapErr: err, Err: strings.TrimPrefix(err.Error(), "lookup: "), Name: host,
		IsNotFound: errors.Is(err, errNoAddress), IsTimeout: timedOut(err), IsTemporary: !errors.Is(err, errNoAddress),
	}
}

// resolve asks the name servers for host: for each name of the search list,
// until one has an address or no server answers. When none has, what was said of
// host as it stands counts if that was asked first, as in the C library. The
// error is errNoAddress when there is no address.
func (s *Service) resolve(ctx context.Context, host string, kinds []uint16) ([]netip.Addr, error) {
	name := strings.TrimSuffix(host, ".")
	// onion is not looked for in DNS (RFC 7686 section 2).
	if !validName(name) || strings.EqualFold(name[strings.LastIndexByte(name, '.')+1:], "onion") {
		return nil, errNoAddress
	}
	ctx, cancel := context.WithTimeout(ctx, TargetTimeout)
	defer cancel()
	conf := s.resolver()
	if conf.noAAAA && len(kinds) > 1 {
		kinds = []uint16{dns.TypeA}
	}
	limit := min(cmp.Or(conf.timeout, TargetTimeout), TargetTimeout)
	p := patience{next: min(DefaultTimeout, limit), limit: limit, attempts: cmp.Or(conf.attempts, targetAttempts), all: true}
	var asItStands, failure error
	for i, name := range conf.names(host) {
		addrs, err := s.dns.addresses(ctx, name, kinds, p)
		switch {
		case err == nil:
			return addrs, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("no name server answered: %w", ctx.Err())
		case timedOut(err): // the next name of the list could be another host
			return nil, err
		case i == 0 && name == dns.Fqdn(host):
			asItStands = err
		case failure == nil || errors.Is(failure, errNoAddress):
			failure = err
		}
	}
	for _, err := range []error{asItStands, failure} {
		if err != nil {
			return nil, err
		}
	}
	return nil, errNoAddress
}

// familyReply is what was found out of one family.
type familyReply struct {
	kind uint16
	reply
	err error
}

// addresses asks for the addresses of name, of all kinds at once. The error is
// errNoAddress when there are none.
func (c *client) addresses(ctx context.Context, name string, kinds []uint16, p patience) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	replies := make(chan familyReply, len(kinds))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	for _, kind := range kinds {
		asking.Go(func() {
			r, err := c.ask(ctx, name, kind, p)
			replies <- familyReply{kind, r, err}
		})
	}
	var (
		addrs   []netip.Addr
		failure error // the first, other than that there is no such name
		missing bool
		enough  <-chan time.Time
	)
	for range kinds {
		select {
		case r := <-replies:
			addrs = append(addrs, r.addrs()...)
			if failure == nil {
				failure = r.err
			}
			// NXDOMAIN is about every type (RFC 8020), but some servers say so
			// for AAAA when they mean that there is none (RFC 4074 section 4.2).
			missing = missing || r.nonexistent && r.kind == dns.TypeA
			if enough == nil && (missing || len(addrs) > 0) {
				enough = time.After(resolutionDelay)
			}
			continue
		case <-enough:
		}
		break
	}
	switch {
	case len(addrs) > 0:
		return addrs[:min(len(addrs), maxAddrs)], nil
	case failure == nil || missing:
		return nil, errNoAddress
	}
	return nil, failure
}
