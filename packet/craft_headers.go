package packet

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/gopacket"
)

// The headers that probes are made of, as layers that gopacket serialises.
// Those of gopacket/layers would write the same bytes, as the tests have them
// do; but that package fills tables for all Ethernet and PPP types when a
// process starts, which takes longer than all else until the agent is ready.
//
// A segment is written by its type's codec.

// header is what is the same for all of them.
type header struct{}

// LayerType is what the buffer notes down; nobody asks it for that.
func (header) LayerType() gopacket.LayerType { return gopacket.LayerTypePayload }

// prepend makes room for a header of n bytes before what is in the buffer,
// and returns it, zeroed.
func prepend(to gopacket.SerializeBuffer, n int) ([]byte, error) {
	b, err := to.PrependBytes(n)
	clear(b)
	return b, err
}

// ipv4Header is an IPv4 header without options that forbids fragmentation.
type ipv4Header struct {
	header
	tos, ttl, protocol uint8
	source, target     netip.Addr
}

// SerializeTo writes the header with its checksum.
func (h *ipv4Header) SerializeTo(to gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	total := ipv4HeaderLen + len(to.Bytes())
	b, err := prepend(to, ipv4HeaderLen)
	if err != nil {
		return err
	}
	b[0], b[ipv4TOS] = ipv4VersionIHL, h.tos
	binary.BigEndian.PutUint16(b[ipv4TotalLen:], uint16(total))
	binary.BigEndian.PutUint16(b[ipv4Fragment:], ipv4DontFragment)
	b[ipv4TTL], b[ipv4Protocol] = h.ttl, h.protocol
	source, target := h.source.As4(), h.target.As4()
	copy(b[ipv4Source:], source[:])
	copy(b[ipv4Target:], target[:])
	binary.BigEndian.PutUint16(b[ipv4Checksum:], ^fold(sum(b)))
	return nil
}

// ipv6Header is an IPv6 header without extensions.
type ipv6Header struct {
	header
	class, nextHeader, hopLimit uint8
	flowLabel                   uint32
	source, target              netip.Addr
}

// SerializeTo writes the header.
func (h *ipv6Header) SerializeTo(to gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	length := len(to.Bytes())
	b, err := prepend(to, ipv6HeaderLen)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(b, 6<<28|uint32(h.class)<<20|h.flowLabel)
	binary.BigEndian.PutUint16(b[ipv6PayloadLen:], uint16(length))
	b[ipv6NextHeader], b[ipv6HopLimit] = h.nextHeader, h.hopLimit
	source, target := h.source.As16(), h.target.As16()
	copy(b[ipv6Source:], source[:])
	copy(b[ipv6Target:], target[:])
	return nil
}

// greKeyed is a GRE header with a key.
type greKeyed struct {
	header
	protocol uint16
	key      uint32
}

// SerializeTo writes the header.
func (h *greKeyed) SerializeTo(to gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	b, err := prepend(to, greHeaderLen)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(b, greKeyPresent)
	binary.BigEndian.PutUint16(b[greProtocol:], h.protocol)
	binary.BigEndian.PutUint32(b[greKey:], h.key)
	return nil
}
