package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// refusePage refuses what a page in a browser on this host may have sent, for
// an agent that knows callers only by their reaching its loopback address. Any
// page may send requests there: across sites, which browsers say in
// Sec-Fetch-Site or Origin; or as if from the same site, by a name of its own
// that resolves to loopback (DNS rebinding), which shows in Host. Programs send
// none of these.
func (d *door) refusePage(r *http.Request) *RequestError {
	const why = "no credentials are configured, and a web page could have sent this"
	if d.crossOrigin.Check(r) != nil {
		return unauthorized("Cross-site request refused", why)
	}
	// A trusted proxy passes on the name that it is known by.
	if !isOwnHost(r.Host) && !d.proxies.trusts(r) {
		return unauthorized("Host refused", why+"; address the agent as localhost or by its IP address")
	}
	return nil
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
