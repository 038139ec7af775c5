package rawsock

import (
	"golang.org/x/net/bpf"

	"probe-agent/packet"
)

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

// answerFilter compiles a filter of package packet, with the ports that are held
// here. On an IPv4 raw socket a program sees the packet from its IP header on,
// on an IPv6 one from behind the last extension header.
func answerFilter(v6 bool, f packet.Filter, ports portRange) []bpf.Instruction {
	program := []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 0}}
	if !v6 {
		program[0] = bpf.LoadMemShift{Off: 0} // X = length of the IP header
	}
	if f.Ports {
		program = append(program, checkPort(ports)...)
	}
	if len(f.Any) > 0 {
		program = append(program, checkAny(f.Any)...)
	}
	return append(program, bpf.RetConstant{Val: keepAll})
}

// checkAny falls through when one of the conditions holds, and drops the packet
// otherwise.
func checkAny(conditions []packet.Condition) []bpf.Instruction {
	const each = 3 // instructions of a condition
	var program []bpf.Instruction
	for i, c := range conditions {
		left := len(conditions) - 1 - i
		program = append(program,
			bpf.LoadIndirect{Off: uint32(c.Offset), Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: uint32(c.Mask)},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(c.Value), SkipTrue: uint8(left*each + 1)},
		)
	}
	return append(program, bpf.RetConstant{Val: keepNone})
}

// checkPort falls through when the destination port, bytes 2 and 3 of every
// header with ports, is one of ours, and drops the packet otherwise. A port below
// the first one wraps to a number far above the count.
func checkPort(ports portRange) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.ALUOpConstant{Op: bpf.ALUOpSub, Val: uint32(ports.first)},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: uint32(ports.count), SkipTrue: 1},
		bpf.RetConstant{Val: keepNone},
	}
}
