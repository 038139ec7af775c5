package netsim

import (
	"net/netip"
	"slices"
)

// plan is the address plan's prefix of a family.
func plan(ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x00, 0x02}), 48)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, 0, 0}), 15)
}

// prefixes returns where the network's addresses are: those of the address
// plan as its prefix, the others one by one.
func (n *Network) prefixes() []netip.Prefix {
	var found []netip.Prefix
	add := func(p netip.Prefix) {
		if whole := plan(p.Addr().Is6()); whole.Overlaps(p) && whole.Bits() <= p.Bits() {
			p = whole
		}
		if n.family.Carries(p.Addr().Is6()) && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	addresses := []Address{n.target.From}
	for _, r := range n.target.Reject {
		addresses = append(addresses, r.From)
	}
	for _, r := range n.routes {
		addresses = append(addresses, r.addresses...)
	}
	for _, a := range addresses {
		for _, addr := range a.list() {
			add(netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	for _, addr := range n.at {
		if addr.IsValid() {
			add(netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	for _, p := range n.also {
		add(p.Masked())
	}
	return found
}
