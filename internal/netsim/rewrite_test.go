package netsim_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
)

// A quote is the packet as received: later nodes see what routers did to it.
func TestQuotesShowTheWay(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		scenario := netsim.Chain(4, 50*ms)
		scenario.Hops[1].TTLZero = true
		network := newNetwork(t, scenario)
		for ttl, want := range map[uint8]uint8{1: 1, 2: 0, 3: 1, 4: 1, 5: 2} {
			p := probe{kind: "udp", ttl: ttl}
			if ttl == 5 { // the target answers; ask it with one to spare
				p.ttl = 6
			}
			a := sendOne(t, network, ipv6, p)
			if diff := cmp.Diff(lowered(p.bytes(t, ipv6), want), a.quote); diff != "" {
				t.Errorf("TTL %d (-want +got):\n%s", ttl, diff)
			}
		}
	})
}

func TestRewrite(t *testing.T) {
	nat, inside := netsim.N(60000), netsim.N(60001)
	rewrite := netsim.Rewrite{Source: nat, Destination: inside, SourcePort: 1024, TOS: new(uint8(0x28)), IPID: new(uint16(0x1234))}
	for _, restore := range []bool{false, true} {
		families(t, func(t *testing.T, ipv6 bool) {
			scenario := netsim.Chain(3, 40*ms)
			rewrite.Restore = restore
			scenario.Hops[0].Rewrite = &rewrite
			network := newNetwork(t, scenario)
			p := probe{kind: "udp", ttl: 2}
			original := p.bytes(t, ipv6)
			header := headerLength(ipv6)

			a := sendOne(t, network, ipv6, p)
			from, to := quoted(a.quote)
			wantFrom, wantTo, wantPort := nat, inside, uint16(1024)
			if restore {
				wantFrom, wantTo, wantPort = source, target, 33000
			}
			if from != wantFrom.For(ipv6) || to != wantTo.For(ipv6) || binary.BigEndian.Uint16(a.quote[header:]) != wantPort {
				t.Errorf("restore %v: quoted %v to %v port %d", restore, from, to, binary.BigEndian.Uint16(a.quote[header:]))
			}
			if restore != bytes.Equal(a.quote[header:], original[header:]) {
				t.Errorf("restore %v: quoted UDP % x of % x", restore, a.quote[header:], original[header:])
			}
			// The checksum follows what it is over, as NAT devices see to.
			checkTransport(t, answer{ipv6: ipv6, from: from, to: to, protocol: 17, segment: a.quote[header:]})
			if got := quotedTOS(a.quote); got != 0x28 {
				t.Errorf("quoted TOS %x, want 28", got)
			}
			if id := binary.BigEndian.Uint16(a.quote[4:]); !ipv6 && (id != 0x1234 || slowSum(a.quote[:20]) != 0) {
				t.Errorf("quoted header % x", a.quote[:20])
			}
			// Every type of probe still has right checksums when it arrives.
			for _, kind := range []string{"icmp", "tcp", "udp"} {
				a := sendOne(t, network, ipv6, probe{kind: kind, ttl: 9})
				if want := wantTo.For(ipv6); a.from != want {
					t.Errorf("restore %v: %s answered from %v, want %v", restore, kind, a.from, want)
				}
				if kind == "tcp" && a.dport != wantPort {
					t.Errorf("restore %v: tcp answer to port %d, want %d", restore, a.dport, wantPort)
				}
			}
			if got := network.Counts().Refused; got != 0 {
				t.Errorf("%d probes had a wrong checksum on arrival", got)
			}
		})
	}
}

func TestQuoteLies(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		scenario := netsim.Chain(1, 10*ms)
		scenario.Hops[0].Quote = netsim.Quote{
			Source: netsim.N(1001), Destination: netsim.N(1002), TTL: new(uint8(77)), TOS: new(uint8(4)),
			IPID: new(uint16(9)), Checksum: new(uint16(0)),
		}
		network := newNetwork(t, scenario)
		a := sendOne(t, network, ipv6, probe{kind: "icmp", ttl: 1})
		from, to := quoted(a.quote)
		if from != netsim.N(1001).For(ipv6) || to != netsim.N(1002).For(ipv6) || quotedTOS(a.quote) != 4 {
			t.Errorf("quoted %v to %v, TOS %d", from, to, quotedTOS(a.quote))
		}
		if ttl := a.quote[map[bool]int{false: 8, true: 7}[ipv6]]; ttl != 77 {
			t.Errorf("quoted TTL %d, want 77", ttl)
		}
		if !ipv6 && !bytes.Equal(a.quote[10:12], []byte{0, 0}) {
			t.Errorf("quoted header checksum % x, want 0", a.quote[10:12])
		}
		// It is the quote that lies, not the packet: it goes on unchanged.
		if a := sendOne(t, network, ipv6, probe{kind: "icmp", ttl: 2}); a.from != target.For(ipv6) {
			t.Errorf("answer from %v", a.from)
		}
	})
}
