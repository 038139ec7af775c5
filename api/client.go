package api

import (
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/go-chi/chi/v5/middleware"
)

// Proxies are the addresses of the proxies in front of the agent: theirs are
// the only X-Forwarded-For headers that are believed. Safe for concurrent use.
// The zero value trusts nobody.
type Proxies struct{ current atomic.Pointer[proxies] }

type proxies struct {
	prefixes []netip.Prefix
	find     func(http.Handler) http.Handler // puts the client's address into the context
}

// Set trusts the proxies in prefixes, which must be masked, and no others.
func (p *Proxies) Set(prefixes []netip.Prefix) {
	if len(prefixes) == 0 {
		p.current.Store(nil)
		return
	}
	words := make([]string, len(prefixes))
	for i, prefix := range prefixes {
		words[i] = prefix.String()
	}
	p.current.Store(&proxies{prefixes: prefixes, find: middleware.ClientIPFromXFF(words...)})
}

// findClient tells next who the client is: the last address on the way here
// that is not a trusted proxy. Where a trusted proxy forwards something else
// than addresses, it is the client itself.
func (p *Proxies) findClient(next http.Handler) http.Handler {
	direct := middleware.ClientIPFromRemoteAddr(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if now := p.current.Load(); now != nil {
			now.find(next).ServeHTTP(w, r)
			return
		}
		direct.ServeHTTP(w, r)
	})
}

// trusts reports whether r comes from a trusted proxy.
func (p *Proxies) trusts(r *http.Request) bool {
	now, peer := p.current.Load(), peerOf(r)
	if now == nil || !peer.IsValid() {
		return false
	}
	for _, prefix := range now.prefixes {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// clientOf returns the address that findClient found; invalid for a
// connection without addresses.
func clientOf(r *http.Request) netip.Addr {
	if addr := middleware.GetClientIPAddr(r.Context()); addr.IsValid() {
		return addr.WithZone("")
	}
	return peerOf(r)
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
