//go:build linux

package kernel

import (
	"cmp"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// muffle does something to the ICMP errors of a router on their way out.
func (s *rules) muffle(parts ...[]expr.Any) {
	errors := []expr.Any{load(expr.PayloadBaseTransportHeader, 0, 1)}
	if s.ipv6 {
		// RFC 4443 section 2.1: errors have the high bit of the type clear.
		errors = append(protocol(unix.IPPROTO_ICMPV6), append(errors, &expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: []byte{128}})...)
	} else {
		// 3 unreachable, 11 time exceeded and 12 parameter problem are all
		// that a router without redirects sends, apart from echo reply, 0.
		errors = append(protocol(unix.IPPROTO_ICMP), append(errors, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}})...)
	}
	s.add(nftables.ChainHookOutput, append([][]expr.Any{errors}, parts...)...)
}

// from sets the source address of an ICMP error, and mends the checksum that it
// is part of: in IPv4 the header's, in IPv6 that of ICMPv6, by its pseudo header.
func (s *rules) from(address netip.Addr) []expr.Any {
	write := &expr.Payload{
		OperationType: expr.PayloadWrite, SourceRegister: 1, Base: expr.PayloadBaseNetworkHeader,
		Offset: 12, Len: 4, CsumType: expr.CsumTypeInet, CsumOffset: 10,
	}
	if s.ipv6 {
		write.Offset, write.Len, write.CsumOffset = 8, 16, 40+2
	}
	return []expr.Any{&expr.Immediate{Register: 1, Data: address.AsSlice()}, write}
}

// oneOf matches one of every so many packets, the first of which is 0.
func oneOf(every, which int) []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: 1, Modulus: uint32(every), Type: unix.NFT_NG_INCREMENTAL},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(uint32(which))},
	}
}

// numbered counts packets from 1 and writes the count into their mark, which
// means nothing else in a lab.
func numbered() []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: 1, Modulus: 1 << 30, Type: unix.NFT_NG_INCREMENTAL, Offset: 1},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
	}
}

// isNumber matches a packet by its mark.
func isNumber(n int) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(uint32(n))},
	}
}

// over matches what a limit does not let through.
func over(l Limit) []expr.Any {
	unit := expr.LimitTimeSecond
	if l.PerSecond == 0 {
		unit = expr.LimitTimeDay
	}
	return []expr.Any{&expr.Limit{
		Type: expr.LimitTypePkts, Over: true, Unit: unit, Rate: uint64(cmp.Or(l.PerSecond, 1)), Burst: uint32(l.Burst),
	}}
}
