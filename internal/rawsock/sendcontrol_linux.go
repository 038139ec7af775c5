package rawsock

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// control4 are the control messages of an IPv4 packet, laid out as the kernel
// wants them: each header where CMSG_NXTHDR looks for it. How many of them
// count is the length that the message header gives.
type control4 struct {
	infoHeader     unix.Cmsghdr
	info           unix.Inet4Pktinfo // the source, and the interface to leave through
	protocolHeader unix.Cmsghdr
	protocol       int32 // that the route is looked up by
	tokenHeader    unix.Cmsghdr
	token          uint32 // of the packet's transmit stamp
}

// control6 are those of an IPv6 packet. Its protocol goes where a socket
// address has its port.
type control6 struct {
	infoHeader  unix.Cmsghdr
	info        unix.Inet6Pktinfo
	tokenHeader unix.Cmsghdr
	token       uint32
}

func (c *control4) init() {
	setHeader(&c.infoHeader, unix.SOL_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
	setHeader(&c.protocolHeader, unix.SOL_IP, unix.IP_PROTOCOL, 4)
	c.protocol = unix.IPPROTO_RAW // what counts when nothing is said
	setHeader(&c.tokenHeader, unix.SOL_SOCKET, unix.SCM_TS_OPT_ID, 4)
}

func (c *control6) init() {
	setHeader(&c.infoHeader, unix.SOL_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	setHeader(&c.tokenHeader, unix.SOL_SOCKET, unix.SCM_TS_OPT_ID, 4)
}

func setHeader(h *unix.Cmsghdr, level, kind int32, length int) {
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(length))
}

// controlOf returns where the i-th packet's control messages start.
func (s *sender) controlOf(i int) *byte {
	if s.v6 {
		return (*byte)(unsafe.Pointer(&s.controls6[i]))
	}
	return (*byte)(unsafe.Pointer(&s.controls4[i]))
}

// useControls sets which control messages go with each packet.
func (s *sender) useControls(protocol, token bool) {
	length := unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	if s.v6 {
		length = unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	// A kernel that knows tokens takes the protocol, if only to be told what it
	// would take anyway.
	if (protocol || token) && !s.v6 {
		length += unix.CmsgSpace(4)
	}
	if token {
		length += unix.CmsgSpace(4)
	}
	for i := range s.headers {
		s.headers[i].Hdr.SetControllen(length)
	}
}

// takesProtocol finds out whether the kernel takes the protocol to look a
// packet's route up by (Linux 6.4, and versions before it that had the change
// ported back). One that does not says so before it looks at anything else.
func (s *sender) takesProtocol() bool {
	s.useControls(true, false)
	s.protocol = true
	_, err := s.send([]packet.Outgoing{{Bytes: loopbackPacket(s.v6), Interface: loopbackIndex}})
	return !errors.Is(err, unix.EINVAL)
}

// loopbackIndex is the index of lo, in every network namespace. A packet to a
// loopback address must not leave through another interface while lo is down.
const loopbackIndex = 1

// port16 returns a port number as it lies in a socket address, in network
// order.
func port16(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}
