package lookup

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxOriginText bounds a text that is looked at. Those of a hundred origins
// are shorter.
const maxOriginText = 1024

// origins asks zones of DNS which AS announces an address.
type origins struct {
	client   *client
	patience patience
	zones    OriginZones
	global   netip.Prefix   // that addresses of IPv6 have to be in
	special  []netip.Prefix // that no address may be in
}

func newOrigins(c *client, p patience, zones OriginZones) *origins {
	return &origins{client: c, patience: p, zones: zones, global: globalUnicast(), special: specialSpace()}
}

// mayAsk reports whether addr is one to ask for. Others' name servers are not
// told which private addresses there are.
func (o *origins) mayAsk(addr netip.Addr) bool {
	if o.zone(addr) == "" || addr.Is6() && !o.global.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(o.special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func (o *origins) zone(addr netip.Addr) string {
	if addr.Is4() {
		return o.zones.IPv4
	}
	return o.zones.IPv6
}

// originOf asks for the origin of addr. Several origins are none: nobody can
// tell whose the address is.
func (o *origins) originOf(ctx context.Context, addr netip.Addr) answer[uint32] {
	name := reversed(addr) + o.zone(addr) + "."
	r, err := o.client.ask(ctx, name, dns.TypeTXT, o.patience)
	if err != nil {
		return failedAnswer[uint32](err)
	}
	if r.empty() {
		return noAnswer[uint32](absent, r.ttl)
	}
	asn, ok := chooseOrigin(addr, r.texts())
	switch {
	case !ok:
		return noAnswer[uint32](refused, r.ttl)
	case asn == 0:
		return noAnswer[uint32](absent, r.ttl)
	}
	return foundAnswer(asn, r.ttl)
}

// chooseOrigin reads texts of the form "13335 | 1.1.1.0/24 | AU | apnic |
// 2011-08-11" and returns the origin of the longest prefix that holds addr, or
// 0 when there are several or none. It is false when no text has that form. The
// order of the texts does not matter.
func chooseOrigin(addr netip.Addr, texts []string) (uint32, bool) {
	var (
		asn     uint32
		longest = -1
	)
	for _, text := range texts {
		prefix, number, ok := parseOrigin(text)
		if !ok || !prefix.Contains(addr) || prefix.Bits() < longest {
			continue
		}
		if prefix.Bits() == longest && number != asn {
			number = 0
		}
		asn, longest = number, prefix.Bits()
	}
	return asn, longest >= 0
}

// parseOrigin reads one text: the origins, the prefix, and more that is for
// people.
func parseOrigin(text string) (prefix netip.Prefix, asn uint32, ok bool) {
	if len(text) > maxOriginText {
		return netip.Prefix{}, 0, false
	}
	origins, rest, _ := strings.Cut(text, "|")
	announced, _, _ := strings.Cut(rest, "|")
	prefix, err := netip.ParsePrefix(strings.TrimSpace(announced))
	if err != nil || prefix != prefix.Masked() {
		return netip.Prefix{}, 0, false
	}
	asn, err = parseASN(strings.TrimSpace(origins))
	return unmapped(prefix), asn, err == nil
}
