package netsim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Numbers of the address plan that have a meaning by default.
const (
	sourceNumber = 0x10001 // 198.19.0.1, 2001:2::1:1
	targetNumber = 0xff01  // 198.18.255.1, 2001:2::ff01
	maxNumber    = 0x1fffe // the last address of 198.18.0.0/15 but one
)

// Address is what a node is called in each family; either may be missing.
// The zero value is no address.
type Address struct{ v4, v6 netip.Addr }

// N returns the address of node number n (1 to 131070) in the address plan:
// 198.18.0.0 + n and 2001:2:: + n. It returns the zero Address for any other
// number. In YAML it is written as n7.
func N(n int) Address {
	if n < 1 || n > maxNumber {
		return Address{}
	}
	var v4 [4]byte
	binary.BigEndian.PutUint32(v4[:], 198<<24|18<<16+uint32(n))
	v6 := [16]byte{0x20, 0x01, 0x00, 0x02}
	binary.BigEndian.PutUint32(v6[12:], uint32(n))
	return Address{v4: netip.AddrFrom4(v4), v6: netip.AddrFrom16(v6)}
}

// AddressOf returns the Address made of the given ones, at most one of each
// family; a second one of the same family replaces the first.
func AddressOf(addrs ...netip.Addr) Address {
	var a Address
	for _, addr := range addrs {
		addr = addr.Unmap()
		if addr.Is4() {
			a.v4 = addr
		} else {
			a.v6 = addr
		}
	}
	return a
}

// For returns the address of one family; the zero Addr when there is none.
func (a Address) For(ipv6 bool) netip.Addr {
	if ipv6 {
		return a.v6
	}
	return a.v4
}

// IsZero reports whether there is no address of either family.
func (a Address) IsZero() bool { return !a.v4.IsValid() && !a.v6.IsValid() }

// String returns the addresses as they are written in a scenario file.
func (a Address) String() string {
	switch {
	case a.IsZero():
		return ""
	case !a.v6.IsValid():
		return a.v4.String()
	case !a.v4.IsValid():
		return a.v6.String()
	}
	return a.v4.String() + " " + a.v6.String()
}

// UnmarshalText reads n7, one IP address, or two of different families with a
// space between them.
func (a *Address) UnmarshalText(text []byte) error {
	words := strings.Fields(string(text))
	if len(words) == 1 && strings.HasPrefix(words[0], "n") {
		n, err := strconv.Atoi(words[0][1:])
		if err != nil || N(n).IsZero() {
			return fmt.Errorf("%q is no node number: want n1 to n%d", words[0], maxNumber)
		}
		*a = N(n)
		return nil
	}
	*a = Address{}
	for _, word := range words {
		addr, err := netip.ParseAddr(word)
		if err != nil {
			return fmt.Errorf("%q is neither a node number like n7 nor an IP address", word)
		}
		if addr.Zone() != "" || addr.Is4In6() {
			return fmt.Errorf("%q has a zone or is IPv4-mapped", word)
		}
		if a.For(addr.Is6()).IsValid() {
			return fmt.Errorf("%q holds two addresses of one family", text)
		}
		if addr.Is4() {
			a.v4 = addr
		} else {
			a.v6 = addr
		}
	}
	if a.IsZero() {
		return fmt.Errorf("empty address")
	}
	return nil
}

// Planned reports whether an address is one of the plan.
func Planned(addr netip.Addr) bool { return plan(addr.Is6()).Contains(addr) }

// Next returns the address after a in each family that it has.
func (a Address) Next() Address {
	return Address{v4: following(a.v4), v6: following(a.v6)}
}

func following(addr netip.Addr) netip.Addr {
	if !addr.IsValid() {
		return addr
	}
	return addr.Next()
}

// list returns the addresses that there are, IPv4 first.
func (a Address) list() []netip.Addr {
	var addrs []netip.Addr
	for _, addr := range []netip.Addr{a.v4, a.v6} {
		if addr.IsValid() {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
