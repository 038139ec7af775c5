package rawsock

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// controlBytes returns the first n bytes of slab as bytes.
func controlBytes(slab []uint64, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(slab))), len(slab)*8)[:n]
}

// nextControl splits the first control message off b, which must be aligned
// to 8 bytes. ok is false at the end.
func nextControl(b []byte) (level, kind int32, data, rest []byte, ok bool) {
	start := unix.CmsgLen(0)
	if len(b) < start {
		return 0, 0, nil, nil, false
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	end := int(h.Len)
	if end < start || end > len(b) {
		return 0, 0, nil, nil, false
	}
	next := min(unix.CmsgSpace(end-start), len(b))
	return h.Level, h.Type, b[start:end], b[next:], true
}

// as gives control data its type; nil when there is too little of it. The
// kernel aligns control data for any type.
func as[T any](data []byte) *T {
	var zero T
	if len(data) < int(unsafe.Sizeof(zero)) {
		return nil
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(data)))
}

// wallTime reads the software stamp, the first of three, in nanoseconds since
// 1970; 0 when there is none.
func wallTime(data []byte) int64 {
	if stamps := as[unix.ScmTimestamping](data); stamps != nil {
		return stamps.Ts[0].Nano()
	}
	return 0
}

// transmitStamp reads the control messages of an error queue entry. ok is
// false when it is not the stamp of a packet handed to its device, and foreign
// tells that it is an ICMP error.
func transmitStamp(control []byte) (number uint32, wall int64, ok, foreign bool) {
	for {
		level, kind, data, rest, more := nextControl(control)
		if !more {
			return number, wall, ok && wall != 0, false
		}
		control = rest
		switch {
		case level == unix.SOL_SOCKET && kind == unix.SCM_TIMESTAMPING:
			wall = wallTime(data)
		case level == unix.SOL_IP && kind == unix.IP_RECVERR, level == unix.SOL_IPV6 && kind == unix.IPV6_RECVERR:
			e := as[unix.SockExtendedErr](data)
			if e == nil || e.Origin != unix.SO_EE_ORIGIN_TIMESTAMPING || e.Info != unix.SCM_TSTAMP_SND {
				return 0, 0, false, e != nil && (e.Origin == unix.SO_EE_ORIGIN_ICMP || e.Origin == unix.SO_EE_ORIGIN_ICMP6)
			}
			number, ok = e.Data, true
		}
	}
}

// readControl fills in what the control messages of a received packet say.
func readControl(control []byte, in *packet.Incoming) {
	for {
		level, kind, data, rest, more := nextControl(control)
		if !more {
			return
		}
		control = rest
		switch {
		case level == unix.SOL_SOCKET && kind == unix.SCM_TIMESTAMPING:
			in.Wall = wallTime(data)
		case level != unix.SOL_IPV6:
		case kind == unix.IPV6_PKTINFO:
			if info := as[unix.Inet6Pktinfo](data); info != nil {
				in.To = netip.AddrFrom16(info.Addr)
			}
		case kind == unix.IPV6_HOPLIMIT:
			if limit := as[int32](data); limit != nil {
				in.HopLimit = uint8(*limit)
			}
		case kind == unix.IPV6_TCLASS:
			if class := as[int32](data); class != nil {
				in.TrafficClass = uint8(*class)
			}
		}
	}
}
