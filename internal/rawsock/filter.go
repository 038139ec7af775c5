package rawsock

import "golang.org/x/net/bpf"

// Protocol numbers (IANA), the same for both families but for ICMP.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolGRE    = 47
	protocolICMPv6 = 58
)

// What a filter returns: how many bytes of the packet to keep.
const (
	keepAll  = 0xffff
	keepNone = 0
)

// portRange is a run of consecutive ports.
type portRange struct {
	first uint16
	count int
}

// dropAll passes nothing. It closes a socket until its real filter is in.
func dropAll() []bpf.Instruction {
	return []bpf.Instruction{bpf.RetConstant{Val: keepNone}}
}

// answerFilter returns the program that passes only what can answer a probe
// of one protocol. On an IPv4 raw socket a program sees the packet from its
// IP header on, on an IPv6 one from behind the last extension header.
func answerFilter(v6 bool, protocol uint8, ports portRange) []bpf.Instruction {
	program := []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 0}}
	if !v6 {
		program[0] = bpf.LoadMemShift{Off: 0} // X = length of the IP header
	}
	switch protocol {
	case protocolICMP:
		// Echo reply, destination unreachable, time exceeded, parameter
		// problem (RFC 792).
		return append(program, passTypes(0, 3, 11, 12)...)
	case protocolICMPv6:
		// Destination unreachable, packet too big, time exceeded, parameter
		// problem, echo reply (RFC 4443).
		return append(program, passTypes(1, 2, 3, 4, 129)...)
	case protocolTCP:
		return append(program, passSegments(ports)...)
	case protocolUDP:
		return append(program, passPorts(ports)...)
	default: // GRE: rare on a host, and its answers take many forms
		return []bpf.Instruction{bpf.RetConstant{Val: keepAll}}
	}
}

// passTypes passes an ICMP message whose type is listed.
func passTypes(types ...uint32) []bpf.Instruction {
	program := []bpf.Instruction{bpf.LoadIndirect{Off: 0, Size: 1}}
	for i, kind := range types {
		left := len(types) - 1 - i
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: kind, SkipTrue: uint8(left + 1)})
	}
	return append(program, bpf.RetConstant{Val: keepNone}, bpf.RetConstant{Val: keepAll})
}

// passPorts passes what goes to one of our ports.
func passPorts(ports portRange) []bpf.Instruction {
	return append(checkPort(ports), bpf.RetConstant{Val: keepAll})
}

// passSegments passes SYN-ACKs and resets to one of our ports. The flags are
// in byte 13 of the TCP header (RFC 9293 section 3.1).
func passSegments(ports portRange) []bpf.Instruction {
	const (
		syn = 0x02
		rst = 0x04
		ack = 0x10
	)
	return append(checkPort(ports),
		bpf.LoadIndirect{Off: 13, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: rst, SkipTrue: 3},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: syn | ack},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: syn | ack, SkipTrue: 1},
		bpf.RetConstant{Val: keepNone},
		bpf.RetConstant{Val: keepAll},
	)
}

// checkPort falls through when the destination port, bytes 2 and 3 of both
// TCP and UDP, is one of ours, and drops the packet otherwise. A port below
// the first one wraps to a number far above the count.
func checkPort(ports portRange) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.ALUOpConstant{Op: bpf.ALUOpSub, Val: uint32(ports.first)},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: uint32(ports.count), SkipTrue: 1},
		bpf.RetConstant{Val: keepNone},
	}
}
