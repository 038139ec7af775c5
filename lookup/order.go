package lookup

import (
	"cmp"
	"context"
	"math/bits"
	"net"
	"net/netip"
	"slices"
)

// candidate is an address that a host may be reached at.
type candidate struct {
	addr   netip.Addr
	source netip.Addr // that packets to it would come from; invalid without a route
}

// sortAddrs puts addresses of one host into the order of RFC 6724 section 6:
// those that have a route first, then those whose scope and label are those of
// their source, by precedence, scope and, of IPv6, the length of the prefix shared
// with the source. Beyond that the order stays as it is. Left out are the rules
// that need to know of deprecated and temporary addresses.
func (s *Service) sortAddrs(ctx context.Context, addrs []netip.Addr) {
	if len(addrs) < 2 {
		return
	}
	candidates := make([]candidate, len(addrs))
	for i, addr := range addrs {
		candidates[i] = candidate{addr, s.sourceOf(ctx, addr)}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(a.rank(), b.rank()),
			cmp.Compare(policyOf(b.addr).precedence, policyOf(a.addr).precedence),
			cmp.Compare(scopeOf(a.addr), scopeOf(b.addr)),
			cmp.Compare(b.shared(), a.shared()),
		)
	})
	for i, c := range candidates {
		addrs[i] = c.addr
	}
}

// rank is lower for what rules 1, 2 and 5 prefer.
func (c candidate) rank() int {
	rank := 0
	if !c.source.IsValid() {
		return 1 << 2
	}
	if scopeOf(c.addr) != scopeOf(c.source) {
		rank |= 1 << 1
	}
	if policyOf(c.addr).label != policyOf(c.source).label {
		rank |= 1
	}
	return rank
}

// shared returns the number of leading bits that an IPv6 address has in common
// with its source, up to 64 (rule 9); 0 for IPv4, whose prefixes say nothing of
// distance.
func (c candidate) shared() int {
	if !c.addr.Is6() || !c.source.Is6() {
		return 0
	}
	return bits.LeadingZeros64(numberOf(c.addr).hi ^ numberOf(c.source).hi)
}

// scopeOf returns the scope of an address as RFC 4291 section 2.7 numbers them
// (RFC 6724 section 3.1): 2 link-local, 5 site-local, 14 global.
func scopeOf(addr netip.Addr) int {
	switch {
	case addr.IsLoopback(), addr.IsLinkLocalUnicast():
		return 2
	case addr.IsMulticast() && addr.Is6():
		return int(addr.As16()[1] & 0xf)
	case addr.Is6() && netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0xc0}), 10).Contains(addr):
		return 5
	}
	return 14
}

type addrPolicy struct{ precedence, label int }

// policyOf returns the entry of the default policy table (RFC 6724 section 2.1)
// for an address.
func policyOf(addr netip.Addr) addrPolicy {
	octets := addr.As16()
	within := func(length int, prefix ...byte) bool {
		var full [16]byte
		copy(full[:], prefix)
		return netip.PrefixFrom(netip.AddrFrom16(full), length).Contains(addr.WithZone(""))
	}
	switch {
	case addr.Is4():
		return addrPolicy{35, 4}
	case addr == netip.IPv6Loopback():
		return addrPolicy{50, 0}
	case within(96):
		return addrPolicy{1, 3}
	case within(16, 0x20, 0x02): // 6to4
		return addrPolicy{30, 2}
	case within(32, 0x20, 0x01): // Teredo
		return addrPolicy{5, 5}
	case octets[0]&0xfe == 0xfc: // unique local
		return addrPolicy{3, 13}
	case within(10, 0xfe, 0xc0): // site-local
		return addrPolicy{1, 11}
	case within(16, 0x3f, 0xfe): // 6bone
		return addrPolicy{1, 12}
	}
	return addrPolicy{40, 1}
}

// sourceOf returns the address that a packet to addr would come from, which is
// invalid when there is no route. Nothing is sent.
func sourceOf(ctx context.Context, addr netip.Addr) netip.Addr {
	const discard = 9 // any port does
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", netip.AddrPortFrom(addr, discard).String())
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	source, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	return source.Addr().Unmap().WithZone("")
}
