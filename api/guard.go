package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"probe-agent/api/envelope"
)

// pageGuard refuses what a page in a web browser on this host may have sent, for
// listeners that identify callers only by their reaching a loopback address. Any
// page may send requests there: across sites, which browsers say in
// Sec-Fetch-Site or Origin; or as if from the same site, by a name of its own
// that resolves to loopback (DNS rebinding), which shows in Host. Programs send
// none of these.
type pageGuard struct {
	crossOrigin *http.CrossOriginProtection
	proxies     *Proxies // those that pass on the name that they are known by; nil: none
}

func newPageGuard(proxies *Proxies) pageGuard {
	return pageGuard{http.NewCrossOriginProtection(), proxies}
}

// check returns why r is refused, nil when no page can have sent it.
func (g pageGuard) check(r *http.Request) *envelope.Error {
	const why = "no credentials are needed here, and a web page could have sent this"
	checked := http.Request{Method: http.MethodPost, Host: r.Host, Header: r.Header} // reading counts too
	if g.crossOrigin.Check(&checked) != nil {
		return unauthorized("Cross-site request refused: " + why)
	}
	if !isOwnHost(r.Host) && (g.proxies == nil || !g.proxies.trusts(r)) {
		return unauthorized("Host refused: " + why + "; address the agent as localhost or by its IP address")
	}
	return nil
}

// GuardPages returns a handler that refuses, with 403 in the envelope of the
// contract, what a web page may have sent, and passes all else to next. It is
// for listeners without credentials; a Handler needs none.
func GuardPages(next http.Handler) http.Handler {
	guard := newPageGuard(nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := guard.check(r); refused != nil {
			refused.Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwnHost reports whether host, of a Host header, can only mean an address or
// this machine: an IP address, a name below localhost (RFC 6761 section 6.3),
// or nothing, as old programs send.
func isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
