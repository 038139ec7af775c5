package ident

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"probe-agent/packet"
)

// The numbers of docs/adr/0001: how many guesses somebody off the path has,
// who sends 8 quoted bytes, and how many of them are right. Each field is
// gone through whole, with the others right, so the chance of a packet is the
// product.

const (
	guessFlows = 3
	guessTTLs  = 15
)

// guessed is a lease with all of its probes in flight, and the registry that it
// is part of.
func guessed(t *testing.T, typ packet.Type) (*Lease[string], *Registry[string]) {
	t.Helper()
	id := sharedRegistry()
	return lease(t, id, Lease[string]{
		Type: typ, Target: netip.MustParseAddr("198.51.100.1"), Port: 33434, MaxTTL: guessTTLs, Nonce: rand.Uint64(),
	}, guessFlows, netip.MustParseAddr("198.51.100.2")), id
}

// quoteOf sends the probe of a flow and TTL and returns its quote, as a router
// makes it that quotes 8 bytes.
func quoteOf(t *testing.T, l *Lease[string], id *Registry[string], flow, ttl int) packet.Quote {
	p := send(t, id, l, flow, ttl)
	m, f := p.id, &l.flows[flow]
	q := packet.Quote{Type: l.Type, Source: f.Source, Target: l.Target, TTL: 1, IPID: m.IPID, Length: uint32(len(p.bytes))}
	switch l.Type {
	case packet.ICMP:
		q.EchoID, q.Checksum, q.Sequence, q.HasSequence = uint16(f.ID), f.Checksum(), m.Sequence, true
	case packet.UDP, packet.TCP:
		q.SourcePort, q.TargetPort, q.Sequence, q.HasSequence = f.SourcePort, l.Port, m.Sequence, true
	case packet.GRE:
		q.Key, q.HasKey = f.Key(), true
	}
	return q
}

// allQuotes sends every probe and returns the quote of one in the middle.
func allQuotes(t *testing.T, l *Lease[string], id *Registry[string]) packet.Quote {
	var middle packet.Quote
	for ttl := 1; ttl <= guessTTLs; ttl++ {
		for flow := range guessFlows {
			if q := quoteOf(t, l, id, flow, ttl); ttl == 7 && flow == 1 {
				middle = q
			}
		}
	}
	return middle
}

// accepted counts the guesses of a 16-bit field that are believed by a lease
// that has seen so many forgeries.
func accepted(l *Lease[string], id *Registry[string], q packet.Quote, forgeries int, set func(*packet.Quote, uint16)) int {
	count := 0
	for guess := range 1 << 16 {
		set(&q, uint16(guess))
		l.forged = forgeries
		id.watched[l.Target].misses = [packet.Spaces]int{}
		r := packet.Reply{Kind: packet.TimeExceeded, From: l.Target, Quote: q}
		if m, why := id.Match(&r, 0); why == Matched && m.lease == l {
			count++
		}
	}
	return count
}

func setIPID(q *packet.Quote, v uint16)     { q.IPID = v }
func setEchoID(q *packet.Quote, v uint16)   { q.EchoID = v }
func setChecksum(q *packet.Quote, v uint16) { q.Checksum = v }
func setSequence(q *packet.Quote, v uint16) { q.Sequence = uint32(v) }
func setUpper(q *packet.Quote, v uint16)    { q.Sequence = uint32(v)<<16 | q.Sequence&0xffff }
func setLower(q *packet.Quote, v uint16)    { q.Sequence = q.Sequence&^0xffff | uint32(v) }
func setKeyID(q *packet.Quote, v uint16)    { q.Key = uint32(v)<<16 | q.Key&0xffff }
func setProof(q *packet.Quote, v uint16)    { q.Key = q.Key&^0xffff | uint32(v) }

// TestScenarioGuesses holds the second table of docs/adr/0001.
func TestScenarioGuesses(t *testing.T) {
	noIPID := func(q *packet.Quote) { q.IPID ^= 0xfff0 }
	noSum := func(q *packet.Quote) { q.Checksum ^= 0xfff0 }
	noSequence := func(q *packet.Quote) { q.Sequence ^= 0xfffff000 }
	noLength := func(q *packet.Quote) { q.Length = 0; q.IPID = 0 }
	const all = suspicion // forgeries that end the trust in weak evidence
	tests := []struct {
		name      string
		typ       packet.Type
		forgeries int
		set       func(*packet.Quote, uint16)
		spoil     func(*packet.Quote) // makes another field wrong first
		want      int                 // right guesses among 65,536
	}{
		{"icmp identifier", packet.ICMP, 0, setEchoID, nil, 1},
		{"icmp checksum", packet.ICMP, all, setChecksum, noIPID, 1},
		{"icmp identification", packet.ICMP, all, setIPID, noSum, 1},
		{"icmp sequence", packet.ICMP, all, setSequence, noIPID, guessTTLs},
		{"icmp identifier and sequence alone", packet.ICMP, 0, setSequence, both(noIPID, noSum), 0},
		{"udp checksum", packet.UDP, all, setSequence, nil, 1},
		{"udp identification", packet.UDP, all, setIPID, nil, 1},
		{"udp checksum alone", packet.UDP, 0, setSequence, noIPID, guessTTLs},
		{"udp checksum alone, suspicious", packet.UDP, all, setSequence, noIPID, 0},
		{"udp identification alone", packet.UDP, 0, setIPID, noSequence, guessTTLs},
		{"udp identification alone, suspicious", packet.UDP, all, setIPID, noSequence, 0},
		{"tcp upper half", packet.TCP, all, setUpper, noIPID, 1},
		{"tcp lower half", packet.TCP, all, setLower, noIPID, guessTTLs},
		{"tcp identification alone", packet.TCP, 0, setIPID, noSequence, guessTTLs},
		{"tcp identification alone, suspicious", packet.TCP, all, setIPID, noSequence, 0},
		{"gre identifier", packet.GRE, 0, setKeyID, nil, 1},
		{"gre proof", packet.GRE, 0, setProof, nil, 1},
		{"gre identification", packet.GRE, all, setIPID, noLength, guessTTLs},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, id := guessed(t, test.typ)
			q := allQuotes(t, l, id)
			if test.spoil != nil {
				test.spoil(&q)
			}
			if got := accepted(l, id, q, test.forgeries, test.set); got != test.want {
				t.Errorf("%d guesses of 65536 are right, want %d", got, test.want)
			}
		})
	}
}

func both(first, second func(*packet.Quote)) func(*packet.Quote) {
	return func(q *packet.Quote) { first(q); second(q) }
}
