package packet

import (
	"encoding/binary"
	"math/bits"
)

// sum adds b up as big-endian 16-bit words in one's-complement arithmetic
// (RFC 1071) and returns the sum unfolded. Sums of parts that start at even
// offsets can be added.
func sum(b []byte) uint64 {
	// 2^16-1 divides 2^64-1, so words may be added 64 bits at a time, with the
	// carry going round.
	var s, carry uint64
	for ; len(b) >= 32; b = b[32:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[24:]), carry)
		s += carry // cannot overflow: a sum that carried is below 2^64-1
	}
	for ; len(b) >= 8; b = b[8:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s += carry
	}
	s = sum64(s) // makes room for more
	if len(b) >= 4 {
		s += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// sum64 is the unfolded sum of the four words of v.
func sum64(v uint64) uint64 { return v>>32 + v&0xffffffff }

// fold brings a sum to 16 bits. Only the sum 0 folds to 0.
func fold(s uint64) uint16 {
	s = sum64(s)
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}

// pseudoHeaderSum is the unfolded sum of the pseudo header of RFC 9293 section
// 3.1 and RFC 8200 section 8.1: both addresses, protocol and segment length.
func pseudoHeaderSum(addresses []byte, protocol uint8, length int) uint64 {
	return sum(addresses) + uint64(protocol) + uint64(length)
}

// validChecksum reports whether b, which contains its checksum, adds up.
func validChecksum(b []byte) bool { return fold(sum(b)) == 0xffff }
