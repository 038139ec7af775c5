package rawsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lookup is one question to the routing table.
type lookup struct {
	target                 netip.Addr
	source                 netip.Addr // invalid: the kernel chooses
	sourcePort, targetPort uint16     // 0: none
	protocol               uint8      // 0, or one that takesProtocol
	index                  int        // of the interface to leave through; 0: any
	whole                  bool       // the answer is the table's entry, with all its next hops
}

// hop is the kernel's answer to a lookup.
type hop struct {
	step
	source netip.Addr    // that the kernel chooses
	kind   uint8         // RTN_UNICAST, RTN_LOCAL and so on
	errno  syscall.Errno // 0: there is a route
	shared bool          // of a lookup of the whole: several next hops have equal costs
}

// step is where a packet goes next. Lookups with equal steps take one way out.
type step struct {
	gateway netip.Addr // invalid: the target is on the link
	index   int        // of the interface
	table   uint32
}

// takesProtocol reports whether RTM_GETROUTE takes the number as RTA_IP_PROTO.
func takesProtocol(protocol uint8) bool {
	switch protocol {
	case protocolICMP, protocolICMPv6, protocolTCP, protocolUDP:
		return true
	}
	return false
}

// rtaNextHopID is RTA_NH_ID: the entry's next hops are an object of their own.
const rtaNextHopID = 30

// Sizes of rtnetlink(7) messages.
const (
	// lookupLen is a lookup at its longest: two headers of 16 and 12 bytes, two
	// IPv6 addresses and six attributes of at most 4 bytes.
	lookupLen = 16 + 12 + 2*20 + 6*8
	// hopLen has room for a route: addresses, metrics and cache information. A
	// list of next hops may be cut off; that there is one is all that is read.
	hopLen = 512
	// lookupBatch is how many lookups go into one system call at most. Their
	// answers fit into an unprivileged socket's receive buffer.
	lookupBatch = 32
)

// routeTable asks the kernel's routing table by rtnetlink(7). Not safe for
// concurrent use.
type routeTable struct {
	fd       int
	mark     uint32
	sequence uint32 // of the first lookup under way

	request  []byte
	headers  [lookupBatch]unix.Mmsghdr
	iovecs   [lookupBatch]unix.Iovec
	messages [lookupBatch][hopLen / 8]uint64 // aligned for netlink headers
}

// openRouteTable opens the socket and makes sure that the kernel answers.
func openRouteTable(options *Options) (*routeTable, error) {
	fd, err := options.socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("rawsock: netlink: %w", err)
	}
	r := &routeTable{fd: fd, mark: options.Mark, request: make([]byte, 0, lookupBatch*lookupLen)}
	for i := range r.headers {
		r.iovecs[i].Base = (*byte)(unsafe.Pointer(&r.messages[i]))
		r.iovecs[i].SetLen(hopLen)
		r.headers[i].Hdr.Iov = &r.iovecs[i]
		r.headers[i].Hdr.SetIovlen(1)
	}
	// Without it, an answer that is an error repeats the lookup.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	var hops [2]hop
	err = r.ask([]lookup{{target: netip.AddrFrom4([4]byte{127, 0, 0, 1})}, {target: netip.IPv6Loopback()}}, hops[:])
	if err == nil && (hops[0].errno == unix.EOPNOTSUPP || hops[0].errno == unix.EPERM) && hops[1].errno == hops[0].errno {
		err = fmt.Errorf("rawsock: netlink: %w", hops[0].errno)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return r, nil
}

// ask looks all up, writing the answer of each to hops, which is as long. The
// error is of the asking.
func (r *routeTable) ask(lookups []lookup, hops []hop) error {
	for len(lookups) > 0 {
		n := min(len(lookups), lookupBatch)
		if err := r.askBatch(lookups[:n], hops[:n]); err != nil {
			return fmt.Errorf("rawsock: netlink: %w", err)
		}
		lookups, hops = lookups[n:], hops[n:]
	}
	return nil
}

// errAnswer is what a kernel never gives.
var errAnswer = errors.New("answers do not match the lookups")

func (r *routeTable) askBatch(lookups []lookup, hops []hop) error {
	r.request = r.request[:0]
	for i := range lookups {
		r.appendLookup(&lookups[i], r.sequence+uint32(i))
	}
	first := r.sequence
	r.sequence += uint32(len(lookups))
	if err := r.write(); err != nil {
		return err
	}
	// The kernel has answered all when the call returns.
	for answered := 0; answered < len(lookups); {
		for i := range r.headers[:len(lookups)-answered] {
			r.headers[i].Len = 0
		}
		got, errno := receiveMessages(uintptr(r.fd), r.headers[:len(lookups)-answered], unix.MSG_DONTWAIT)
		if errno != 0 {
			return errno
		}
		for i := range got {
			answer := controlBytes(r.messages[i][:], int(min(r.headers[i].Len, hopLen)))
			at, ok := parseHop(answer, first, hops)
			if ok {
				answered++
			} else if at { // not a leftover of an earlier batch that failed
				return errAnswer
			}
		}
	}
	return nil
}

func (r *routeTable) write() error {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(r.fd), uintptr(unsafe.Pointer(&r.request[0])), uintptr(len(r.request)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// appendLookup adds an RTM_GETROUTE request.
func (r *routeTable) appendLookup(l *lookup, sequence uint32) {
	start := len(r.request)
	family, bits := uint8(unix.AF_INET), uint8(32)
	if l.target.Is6() {
		family, bits = unix.AF_INET6, 128
	}
	b := r.request[:start+unix.SizeofNlMsghdr+unix.SizeofRtMsg] // within the capacity: lookupLen for each
	clear(b[start:])
	message := b[start+unix.SizeofNlMsghdr:]
	message[0], message[1] = family, bits
	native := binary.NativeEndian
	flags := uint32(unix.RTM_F_LOOKUP_TABLE)
	if l.whole {
		flags |= unix.RTM_F_FIB_MATCH
	}
	native.PutUint32(message[8:], flags)
	b = appendAddress(b, unix.RTA_DST, l.target)
	if l.source.IsValid() {
		message[2] = bits
		b = appendAddress(b, unix.RTA_SRC, l.source)
	}
	if l.index != 0 {
		b = native.AppendUint32(appendAttribute(b, unix.RTA_OIF, 4), uint32(l.index))
	}
	if r.mark != 0 {
		b = native.AppendUint32(appendAttribute(b, unix.RTA_MARK, 4), r.mark)
	}
	if l.protocol != 0 {
		b = append(appendAttribute(b, unix.RTA_IP_PROTO, 1), l.protocol, 0, 0, 0)
	}
	if l.sourcePort != 0 && l.targetPort != 0 {
		b = binary.BigEndian.AppendUint16(appendAttribute(b, unix.RTA_SPORT, 2), l.sourcePort)
		b = append(b, 0, 0)
		b = binary.BigEndian.AppendUint16(appendAttribute(b, unix.RTA_DPORT, 2), l.targetPort)
		b = append(b, 0, 0)
	}
	header := b[start:]
	native.PutUint32(header, uint32(len(header)))
	native.PutUint16(header[4:], unix.RTM_GETROUTE)
	native.PutUint16(header[6:], unix.NLM_F_REQUEST)
	native.PutUint32(header[8:], sequence)
	r.request = b
}

// appendAttribute adds the header of an attribute whose value has length bytes.
func appendAttribute(b []byte, kind uint16, length int) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+length))
	return binary.NativeEndian.AppendUint16(b, kind)
}

func appendAddress(b []byte, kind uint16, addr netip.Addr) []byte {
	if addr.Is4() {
		bytes := addr.As4()
		return append(appendAttribute(b, kind, len(bytes)), bytes[:]...)
	}
	bytes := addr.As16()
	return append(appendAttribute(b, kind, len(bytes)), bytes[:]...)
}

// parseHop reads an answer into the hop that its sequence number, counted from
// first, asks for. ok is false when it is none; then ours says whether it
// answers the batch.
func parseHop(b []byte, first uint32, hops []hop) (ours, ok bool) {
	if len(b) < unix.SizeofNlMsghdr {
		return true, false
	}
	native := binary.NativeEndian
	length, kind := int(native.Uint32(b)), native.Uint16(b[4:])
	at := native.Uint32(b[8:]) - first
	if at >= uint32(len(hops)) {
		return false, false
	}
	if length < unix.SizeofNlMsghdr || length > len(b) && len(b) < hopLen {
		return true, false
	}
	body := b[unix.SizeofNlMsghdr:min(length, len(b))]
	h := &hops[at]
	*h = hop{}
	switch {
	case kind == unix.NLMSG_ERROR && len(body) >= 4:
		h.errno = syscall.Errno(-int32(native.Uint32(body)))
		return true, h.errno != 0
	case kind == unix.RTM_NEWROUTE && len(body) >= unix.SizeofRtMsg:
		h.table, h.kind = uint32(body[4]), body[7]
		h.readAttributes(body[unix.SizeofRtMsg:])
		return true, true
	}
	return true, false
}

func (h *hop) readAttributes(b []byte) {
	native := binary.NativeEndian
	for len(b) >= unix.SizeofRtAttr {
		length, kind := int(native.Uint16(b)), native.Uint16(b[2:])
		if kind == unix.RTA_MULTIPATH {
			h.shared = true // though it may be cut off
		}
		if length < unix.SizeofRtAttr || length > len(b) {
			return
		}
		value := b[unix.SizeofRtAttr:length]
		switch kind {
		case unix.RTA_OIF:
			h.index = number32(value)
		case rtaNextHopID:
			h.shared = true
		case unix.RTA_TABLE:
			h.table = uint32(number32(value))
		case unix.RTA_GATEWAY:
			h.gateway, _ = netip.AddrFromSlice(value)
		case unix.RTA_VIA: // a gateway of the other family (RFC 8950)
			h.gateway, _ = netip.AddrFromSlice(value[min(2, len(value)):])
		case unix.RTA_PREFSRC:
			h.source, _ = netip.AddrFromSlice(value)
		}
		b = b[min((length+3)&^3, len(b)):]
	}
}

func number32(value []byte) int {
	if len(value) < 4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(value))
}

func (r *routeTable) close() error {
	if r == nil {
		return nil
	}
	return unix.Close(r.fd)
}
