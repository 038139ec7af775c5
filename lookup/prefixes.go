package lookup

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"net/netip"
	"strconv"
)

// uint128 is an address as a number.
type uint128 struct{ hi, lo uint64 }

func numberOf(addr netip.Addr) uint128 {
	if addr.Is4() {
		octets := addr.As4()
		return uint128{lo: uint64(binary.BigEndian.Uint32(octets[:]))}
	}
	octets := addr.As16()
	return uint128{binary.BigEndian.Uint64(octets[:8]), binary.BigEndian.Uint64(octets[8:])}
}

// parseUint128 reads decimal digits.
func parseUint128(digits string) (uint128, bool) {
	if number, err := strconv.ParseUint(digits, 10, 64); err == nil {
		return uint128{lo: number}, true
	}
	const longest = 39 // digits of 2^128
	if len(digits) > longest {
		return uint128{}, false
	}
	number, ok := new(big.Int).SetString(digits, 10)
	if !ok || number.Sign() < 0 || number.BitLen() > 128 {
		return uint128{}, false
	}
	return numberOf(netip.AddrFrom16([16]byte(number.FillBytes(make([]byte, 16))))), true
}

func (u uint128) addr(is4 bool) netip.Addr {
	if is4 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(u.lo))))
	}
	var octets [16]byte
	binary.BigEndian.PutUint64(octets[:8], u.hi)
	binary.BigEndian.PutUint64(octets[8:], u.lo)
	return netip.AddrFrom16(octets)
}

func (u uint128) less(v uint128) bool {
	return u.hi < v.hi || u.hi == v.hi && u.lo < v.lo
}

// low returns the number whose n lowest bits are set; n is 0 to 128.
func low(n int) uint128 {
	if n > 64 {
		return uint128{1<<(n-64) - 1, ^uint64(0)}
	}
	return uint128{lo: 1<<n - 1}
}

func (u uint128) or(v uint128) uint128 { return uint128{u.hi | v.hi, u.lo | v.lo} }

// next returns u+1, which is 0 behind the highest.
func (u uint128) next() uint128 {
	lo, carry := bits.Add64(u.lo, 1, 0)
	return uint128{u.hi + carry, lo}
}

func (u uint128) trailingZeros() int {
	if u.lo == 0 {
		return 64 + bits.TrailingZeros64(u.hi)
	}
	return bits.TrailingZeros64(u.lo)
}

// appendPrefixes appends the fewest prefixes that together hold the addresses
// from first to last and no other: at most 62 of IPv4, 254 of IPv6. Both ends
// are of one family, and first is not above last.
func appendPrefixes(prefixes []netip.Prefix, first, last netip.Addr) []netip.Prefix {
	is4, width := first.Is4(), first.BitLen()
	from, to := numberOf(first), numberOf(last)
	for {
		// The largest aligned block that starts at from and does not pass to.
		free := min(from.trailingZeros(), width)
		for to.less(from.or(low(free))) {
			free--
		}
		prefixes = append(prefixes, netip.PrefixFrom(from.addr(is4), width-free))
		end := from.or(low(free))
		if end == to {
			return prefixes
		}
		from = end.next()
	}
}
