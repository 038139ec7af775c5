package netsim

import (
	"encoding/binary"
	"syscall"
	"time"

	"probe-agent/packet"
)

// waitingStamp is a transmit stamp until it is read.
type waitingStamp struct {
	ready time.Duration
	stamp packet.Stamp
}

// refuses returns the error for the n-th packet given to Send, nil if there
// is none.
func (h *Host) refuses(n int, at time.Duration, length int) error {
	for i := range h.Faults {
		f := &h.Faults[i]
		if (f.empty() || f.holds(n)) && at >= f.From && (f.Until == 0 || at < f.Until) {
			return syscall.Errno(f.Error)
		}
	}
	if h.MTU > 0 && length > h.MTU {
		return syscall.EMSGSIZE
	}
	return nil
}

// stamp returns what the wall clock reads for the n-th packet, and whether
// the packet gets a stamp at all.
func (h *Host) stamp(s *Stamping, purpose, n int, at time.Duration, start time.Time) (int64, bool) {
	if s.Absent || s.Loss > 0 && draw(mix(h.Seed), purpose, n) < s.Loss {
		return 0, false
	}
	wall := start.Add(at + s.Skew)
	for _, step := range h.Steps {
		if at >= step.At {
			wall = wall.Add(step.By)
		}
	}
	return wall.UnixNano(), true
}

// complete returns the packet as the kernel puts it on the wire.
func (m *Memory) complete(b []byte) ([]byte, error) {
	switch {
	case len(b) >= headerIPv6 && b[0]>>4 == 6:
		if !m.source.v6.IsValid() {
			return nil, syscall.ENETUNREACH
		}
		return b, nil
	case len(b) >= headerIPv4 && b[0]>>4 == 4:
		if !m.source.v4.IsValid() {
			return nil, syscall.ENETUNREACH
		}
	default:
		return nil, syscall.EINVAL
	}
	if header := int(b[0]&0xf) * 4; header < headerIPv4 || header > len(b) {
		return nil, syscall.EINVAL
	}
	b = append([]byte(nil), b...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	if binary.BigEndian.Uint16(b[4:]) == 0 {
		binary.BigEndian.PutUint16(b[4:], uint16(m.sent)|1)
	}
	if binary.BigEndian.Uint32(b[12:]) == 0 {
		source := m.source.v4.As4()
		copy(b[12:], source[:])
	}
	sealHeader(b)
	return b, nil
}
