package lookup

import (
	"context"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// sharedSpace is the address space behind carrier-grade NAT (RFC 6598), which
// netip does not count among the private ones.
var sharedSpace = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)

// origins asks zones of DNS which AS announces an address.
type origins struct {
	client *client
	zones  OriginZones
}

// knows reports whether addr is one to ask for. Others' name servers are not
// told which private addresses there are.
func (o *origins) knows(addr netip.Addr) bool {
	return o.zone(addr) != "" && addr.IsGlobalUnicast() && !addr.IsPrivate() && !sharedSpace.Contains(addr)
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
	name := reversed(addr) + strings.TrimSuffix(o.zone(addr), ".") + "."
	r, err := o.client.ask(ctx, name, dnsmessage.TypeTXT)
	if err != nil {
		return failedAnswer[uint32](err)
	}
	if r.empty() {
		return noAnswer[uint32](absent, r.ttl)
	}
	asn, ok := chooseOrigin(addr, r.texts)
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
// 0 when there are several. It is false when no text has that form.
func chooseOrigin(addr netip.Addr, texts []string) (uint32, bool) {
	var (
		asn     uint32
		longest = -1
	)
	for _, text := range texts {
		origin, rest, _ := strings.Cut(text, "|")
		announced, _, _ := strings.Cut(rest, "|")
		prefix, err := netip.ParsePrefix(strings.TrimSpace(announced))
		if err != nil || !prefix.Contains(addr) || prefix.Bits() < longest {
			continue
		}
		number, err := parseASN(strings.TrimSpace(origin))
		if err != nil {
			continue
		}
		if prefix.Bits() == longest && number != asn {
			number = 0
		}
		asn, longest = number, prefix.Bits()
	}
	return asn, longest >= 0
}
