package ident

import (
	"fmt"
	"slices"
	"testing"

	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// rewriting changes one field of a quoted probe, as middleboxes on the way of
// the probe or of the quote do. Offsets count from the quoted IP header, or
// from what is behind it.
type rewriting struct {
	name    string
	offsets [2]int // in the IPv4 and the IPv6 header; -1: the family has no such field
	segment int    // if not 0, the offset behind the IP header instead
	length  int
	mask    [2]byte       // of the bits that change; default some of all bytes
	types   []packet.Type // default all
	// lost are the packet types and families whose probes are not found again.
	lost []string
}

var echoTypes = []packet.Type{packet.ICMP}

// rewritings are the fields that docs/adr/0001 lists, each for a quote of 8
// bytes. Addresses, ports, echo identifier and key are not among them: they
// identify the flow.
var rewritings = []rewriting{
	{name: "TOS", offsets: [2]int{1, -1}, length: 1},
	{name: "traffic class", offsets: [2]int{-1, 0}, length: 1},
	{name: "total length", offsets: [2]int{2, 4}, length: 2},
	{name: "identification", offsets: [2]int{4, -1}, length: 2},
	{name: "flag DF", offsets: [2]int{6, -1}, length: 1, mask: [2]byte{0x40}},
	{name: "order of the bytes of flags and offset", offsets: [2]int{6, -1}, length: 2, mask: [2]byte{0x40, 0x40}},
	{name: "flow label", offsets: [2]int{-1, 2}, length: 2},
	{name: "TTL", offsets: [2]int{8, 7}, length: 1},
	{name: "header checksum", offsets: [2]int{10, -1}, length: 2},
	{name: "source address", offsets: [2]int{12, 8}, length: 4},
	{name: "ICMP checksum", segment: 2, length: 2, types: echoTypes},
	{name: "ICMP sequence number", segment: 6, length: 2, types: echoTypes, lost: []string{"icmp IPv6"}},
	{name: "UDP length", segment: 4, length: 2, types: []packet.Type{packet.UDP}},
	{name: "UDP checksum", segment: 6, length: 2, types: []packet.Type{packet.UDP}, lost: []string{"udp IPv6"}},
	{name: "TCP sequence number", segment: 4, length: 4, types: []packet.Type{packet.TCP}, lost: []string{"tcp IPv6"}},
}

// TestRewrittenFields: a quote of 8 bytes in which one field was rewritten is
// still found to be that of its probe, and so is each quote of a longer probe.
// In a quote of 8 bytes nothing identifies the TTL of GRE over IPv6, and
// nothing else that of the other types.
func TestRewrittenFields(t *testing.T) {
	for _, typ := range packet.Types() {
		for _, ipv6 := range []bool{false, true} {
			for _, rw := range rewritings {
				for _, quoted := range []int{8, packet.MaxProbeLen} {
					family := map[bool]string{false: "IPv4", true: "IPv6"}[ipv6]
					name := fmt.Sprintf("%v %s", typ, family)
					gre := typ.Encapsulated()
					if rw.types != nil && !slices.Contains(rw.types, typ) || rw.segment == 0 && rw.at(ipv6) < 0 {
						continue
					}
					lost := quoted == 8 && (slices.Contains(rw.lost, name) || gre && ipv6)
					t.Run(fmt.Sprintf("%s/%s/%d", name, rw.name, quoted), func(t *testing.T) {
						rw.test(t, newAnswering(t, typ, ipv6), quoted, lost)
					})
				}
			}
		}
	}
}

func (rw *rewriting) at(ipv6 bool) int {
	if ipv6 {
		return rw.offsets[1]
	}
	return rw.offsets[0]
}

func (rw *rewriting) test(t *testing.T, a answering, quoted int, lost bool) {
	for _, p := range a.probes {
		in := answerTo(p.bytes, formTimeExceeded, quoted)
		start, header := 28, 20 // the quote behind the IPv4 and ICMP headers
		if in.IPv6 {
			start, header = 8, 40
		}
		at := start + rw.at(in.IPv6)
		if rw.segment != 0 {
			at = start + header + rw.segment
		}
		for i := range rw.length {
			change := byte(0x4b) // bits high and low
			if rw.mask != [2]byte{} {
				change = rw.mask[i]
			}
			in.Bytes[at+i] ^= change
		}
		if rw.name == "traffic class" {
			in.Bytes[at] ^= 0x40 // the version stays
		}
		mendChecksum(&in)
		var r packet.Reply
		if err := packet.Parse(&in, &r); err != nil {
			t.Fatal(err)
		}
		m, why := a.registry.Match(&r, 0)
		found := why == Matched && m.lease == p.lease && int(m.Flow) == p.flow && int(m.TTL) == p.ttl
		if why == Matched && !found {
			t.Fatalf("TTL %d of flow %d is taken for TTL %d of flow %d", p.ttl, p.flow, int(m.TTL), int(m.Flow))
		}
		if found == lost {
			t.Fatalf("TTL %d of flow %d: found %v (verdict %d)", p.ttl, p.flow, found, why)
		}
		p.lease.forged = 0
	}
}

// TestUnusualReplies: what targets answer that neither return our data nor
// acknowledge as RFC 9293 says; and that forgeries end the trust in it.
func TestUnusualReplies(t *testing.T) {
	const flowOnly, probe = 0, 1
	tests := []struct {
		name string
		typ  packet.Type
		edit func(r *packet.Reply)
		want int  // what is identified
		weak bool // and only while forgeries are few
	}{
		{"echo reply without data", packet.ICMP, func(r *packet.Reply) { r.Tag, r.HasTag = 0, false }, probe, true},
		{"echo reply with zeros", packet.ICMP, func(r *packet.Reply) { r.Tag = 0 }, probe, true},
		{"echo reply with other data", packet.ICMP, func(r *packet.Reply) { r.Tag ^= 0xff }, probe, true},
		{"reset that acknowledges the SYN's own number", packet.TCP, func(r *packet.Reply) { r.Kind = packet.Reset; r.Sequence-- }, probe, false},
		{"reset that acknowledges 0", packet.TCP, func(r *packet.Reply) { r.Kind = packet.Reset; r.Sequence = 0xffffffff }, flowOnly, true},
		{"reset that acknowledges nothing", packet.TCP, func(r *packet.Reply) { r.Kind, r.HasSequence = packet.Reset, false }, flowOnly, true},
	}
	for _, test := range tests {
		for _, ipv6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%t", test.name, ipv6), func(t *testing.T) {
				a := newAnswering(t, test.typ, ipv6)
				for _, p := range a.probes {
					in := answerTo(p.bytes, formReply, 0)
					mendChecksum(&in)
					var r packet.Reply
					if err := packet.Parse(&in, &r); err != nil {
						t.Fatal(err)
					}
					test.edit(&r)
					m, why := a.registry.Match(&r, 0)
					if why != Matched || m.lease != p.lease || int(m.Flow) != p.flow || int(m.TTL) != test.want*p.ttl {
						t.Fatalf("TTL %d of flow %d: verdict %d, TTL %d of flow %d", p.ttl, p.flow, why, int(m.TTL), int(m.Flow))
					}
					p.lease.forged = suspicion
					if _, why := a.registry.Match(&r, 0); (why == Forged) != test.weak {
						t.Fatalf("among forgeries the verdict is %d", why)
					}
					p.lease.forged = 0
					if test.weak && test.typ == packet.ICMP {
						r.From = p.lease.flows[0].Source // somebody else
						if _, why := a.registry.Match(&r, 0); why != Forged {
							t.Fatalf("from elsewhere the verdict is %d", why)
						}
						p.lease.forged = 0
					}
				}
			})
		}
	}
}

// TestMissesEndTheTrust: packets that mention a target but no flow to it count
// against what is believed on weak evidence, for a second.
func TestMissesEndTheTrust(t *testing.T) {
	a := newAnswering(t, packet.ICMP, false)
	tr := a.probes[0].lease
	id := a.registry
	for h := range FlowID(0xffff) {
		if _, why := id.byID(packet.IdentifierSpace, h); why != Unmatched {
			continue
		}
		if !id.trusting(tr, 0) {
			break
		}
		id.Match(&packet.Reply{Kind: packet.EchoReply, Type: packet.ICMP, From: tr.Target, EchoID: uint16(h)}, 0)
	}
	if got := id.watched[tr.Target].misses[packet.IdentifierSpace]; got != suspicion {
		t.Errorf("trusted until %d identifiers were tried, want %d", got, suspicion)
	}
	if !id.trusting(tr, mono.Instant(suspicionWindow)+1) {
		t.Error("not trusted after the window")
	}
}

// TestOtherProgramsLeaveTheTrust: what other programs on this host cause by
// probing the same target is no guess at a UDP flow.
func TestOtherProgramsLeaveTheTrust(t *testing.T) {
	a := newAnswering(t, packet.UDP, false)
	p := a.probes[0]
	id, f := a.registry, &p.lease.flows[p.flow]
	for n := range 10 * suspicion {
		for _, other := range []packet.Reply{
			{Kind: packet.EchoReply, Type: packet.ICMP, From: p.lease.Target, EchoID: uint16(n)}, // ping
			{Kind: packet.TimeExceeded, Quote: packet.Quote{Type: packet.ICMP, Target: p.lease.Target, EchoID: uint16(n)}},
			{Kind: packet.TimeExceeded, Quote: packet.Quote{Type: packet.UDP, Target: p.lease.Target, SourcePort: 1024, TargetPort: p.lease.Port}},
		} {
			if _, why := id.Match(&other, 0); why != Unmatched {
				t.Fatalf("%v: verdict %d, want %d (unmatched)", other.Kind, why, Unmatched)
			}
		}
	}
	r := packet.Reply{Kind: packet.UDPAnswer, Type: packet.UDP, From: p.lease.Target, SourcePort: p.lease.Port, TargetPort: f.SourcePort}
	if _, why := id.Match(&r, 0); why != Matched {
		t.Errorf("the target's datagram: verdict %d, want %d (matched)", why, Matched)
	}
}

// TestLaterFragmentIsUnmatched: nothing behind the quoted IP header is there to
// read, and 0 may be an identifier in use.
func TestLaterFragmentIsUnmatched(t *testing.T) {
	for _, typ := range packet.Types() {
		a := newAnswering(t, typ, false)
		id := a.registry
		sp := typ.Space()
		before := id.spaces[sp].refs[0]
		id.spaces[sp].refs[0] = ref[string]{lease: a.probes[0].lease}
		in := answerTo(a.probes[0].bytes, formTimeExceeded, 8)
		in.Bytes[28+7] = 1 // fragment offset
		mendChecksum(&in)
		var r packet.Reply
		if err := packet.Parse(&in, &r); err != nil {
			t.Fatal(err)
		}
		if _, why := id.Match(&r, 0); why != Unmatched {
			t.Errorf("%v: verdict %d, want %d (unmatched)", typ, why, Unmatched)
		}
		id.spaces[sp].refs[0] = before
	}
}
