package rawsock

import (
	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// Lengths of an IP header without options (RFC 791 section 3.1, RFC 8200
// section 3).
const (
	ip4HeaderLen = 20
	ip6HeaderLen = 40
)

// leadingRun returns the family of the first packet and how many packets of
// that family, a batch at most, stand at the front.
func leadingRun(packets []packet.Outgoing) (v6 bool, n int, err error) {
	for n < len(packets) && n < batch {
		is6, ok := familyOf(packets[n].Bytes)
		switch {
		case !ok && n == 0:
			return false, 0, sendError(unix.EINVAL)
		case !ok || n > 0 && is6 != v6:
			return v6, n, nil
		}
		v6 = is6
		n++
	}
	return v6, n, nil
}

// familyOf reads the version of an IP packet; ok is false when there is no
// whole IP header.
func familyOf(b []byte) (v6, ok bool) {
	if len(b) < ip4HeaderLen {
		return false, false
	}
	switch b[0] >> 4 {
	case 4:
		return false, true
	case 6:
		return true, len(b) >= ip6HeaderLen
	}
	return false, false
}
