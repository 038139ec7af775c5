package rawsock

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// chooseStamps settles how stamps are told apart: the best way that works, or
// the one that is forced.
func (s *sender) chooseStamps(forced stampMode) {
	for _, mode := range [...]stampMode{stampToken, stampCounter} {
		if forced != stampAuto && forced != mode {
			continue
		}
		if s.use(mode) && s.stampsWork() {
			return
		}
	}
	s.use(stampNone)
}

// use switches to a mode, and tells whether the kernel took it.
func (s *sender) use(mode stampMode) bool {
	s.stamps.disable()
	s.mode, s.ledger = mode, nil
	s.useControls(s.protocol, mode == stampToken)
	switch mode {
	case stampCounter:
		s.ledger = new(ledger)
	case stampNone:
		return true
	}
	return s.stamps.enable(s.ledger) == nil
}

// stampsWork sends two packets to loopback and looks for their stamps, which
// are there as soon as the packets are sent. Two, since a kernel before 5.0
// gives every packet of a raw socket the number 0. Where loopback cannot be
// sent to, a kernel that takes the control message of stampToken is known to
// be new enough, and for stampCounter its version says so.
func (s *sender) stampsWork() bool {
	trial := loopbackPacket(s.v6)
	packets := [...]packet.Outgoing{
		{Bytes: trial, TxID: 0x70726f62, Interface: loopbackIndex},
		{Bytes: trial, TxID: 0x61676e74, Interface: loopbackIndex},
	}
	if _, err := s.send(packets[:]); err != nil {
		return !errors.Is(err, unix.EINVAL) && (s.mode == stampToken || numbersRaw())
	}
	var stamps [len(packets) + 1]packet.Stamp
	if s.stamps.read(stamps[:]) != len(packets) {
		return false
	}
	for i := range packets {
		if stamps[i].TxID != packets[i].TxID {
			return false
		}
	}
	return true
}

// numbersRaw reports whether the kernel is 5.0 or newer. Older ones give every
// packet of a raw socket the number 0.
func numbersRaw() bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false
	}
	major, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 5
}

// loopbackPacket returns a packet from loopback to itself that nobody
// answers: an ICMP echo reply, or an IPv6 header with nothing behind it (next
// header 59, RFC 8200 section 4.7).
func loopbackPacket(v6 bool) []byte {
	if v6 {
		b := make([]byte, ip6HeaderLen)
		b[0], b[6], b[7] = 6<<4, 59, 1
		b[23], b[39] = 1, 1
		return b
	}
	// The kernel fills in the header's length, checksum and identification.
	return []byte{
		0x45, 0, 0, 28, 0, 0, 0, 0, 1, protocolICMP, 0, 0,
		127, 0, 0, 1, 127, 0, 0, 1,
		0, 0, 0xff, 0xff, 0, 0, 0, 0,
	}
}
