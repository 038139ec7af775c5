package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// Proxies are the addresses of the proxies in front of the agent: theirs are
// the only X-Forwarded-For headers that are believed. Safe for concurrent use.
// The zero value trusts nobody.
type Proxies struct {
	prefixes atomic.Pointer[[]netip.Prefix]
}

// Set trusts the proxies in prefixes, which must be masked, and no others.
func (p *Proxies) Set(prefixes []netip.Prefix) {
	prefixes = slices.Clone(prefixes)
	p.prefixes.Store(&prefixes)
}

type clientKey struct{}

// findClient tells next who the client is: the last address on the way here
// that is not a trusted proxy. Where a trusted proxy forwards something else
// than addresses, it is the client itself.
func (p *Proxies) findClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := peerOf(r)
		if p.trusts(r) {
			if forwarded := p.forwarded(r.Header["X-Forwarded-For"]); forwarded.IsValid() {
				client = forwarded
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, client)))
	})
}

// forwarded returns the last address in the X-Forwarded-For headers that is not
// a trusted proxy, invalid when there is none or an entry behind it is no
// address.
func (p *Proxies) forwarded(headers []string) netip.Addr {
	for _, header := range slices.Backward(headers) {
		for header != "" {
			at := strings.LastIndexByte(header, ',')
			entry := strings.TrimSpace(header[at+1:])
			header = header[:max(at, 0)]
			if entry == "" {
				continue
			}
			addr := forwardedAddr(entry)
			if !p.contain(addr) {
				return addr
			}
		}
	}
	return netip.Addr{}
}

// forwardedAddr reads an entry of X-Forwarded-For: an address, with or without
// brackets and a port, as some load balancers append the client's. It returns
// an invalid address for anything else.
func forwardedAddr(entry string) netip.Addr {
	if bare, ok := strings.CutPrefix(entry, "["); ok && strings.HasSuffix(bare, "]") {
		entry = strings.TrimSuffix(bare, "]")
	}
	addr, err := netip.ParseAddr(entry)
	if err != nil {
		pair, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}
		}
		addr = pair.Addr()
	}
	return addr.Unmap().WithZone("")
}

// trusts reports whether r comes from a trusted proxy.
func (p *Proxies) trusts(r *http.Request) bool { return p.contain(peerOf(r)) }

// contain reports whether addr is a trusted proxy's.
func (p *Proxies) contain(addr netip.Addr) bool {
	prefixes := p.prefixes.Load()
	return prefixes != nil && slices.ContainsFunc(*prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// clientOf returns the address that findClient found; invalid for a
// connection without addresses.
func clientOf(r *http.Request) netip.Addr {
	client, _ := r.Context().Value(clientKey{}).(netip.Addr)
	return client
}

// peerOf returns the address at the other end of r's connection.
func peerOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
