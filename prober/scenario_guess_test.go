package prober

import (
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

// guessed is a trace with all of its probes in flight, and the identity that
// it is part of.
func guessed(t *testing.T, typ packet.Type) (*trace, *identity) {
	t.Helper()
	method := map[packet.Type]Method{packet.ICMP: ICMP, packet.UDP: UDP, packet.TCP: TCP, packet.GRE: GRE}[typ]
	tr, id := testTrace(Spec{Method: method, MaxTTL: guessTTLs, PacketsPerTTL: guessFlows}, typ)
	t.Cleanup(func() { id.release(tr, 0) })
	for i := range tr.flows {
		tr.flows[i].sourcePort = id.sourcePort(typ, tr.flows[i].handle)
	}
	return tr, id
}

// quoteOf sends the probe of a flow and TTL and returns its quote, as a router
// makes it that quotes 8 bytes.
func quoteOf(tr *trace, id *identity, flow, ttl int) packet.Quote {
	m := tr.reserve(flow, ttl, 0, 0, id)
	f := &tr.flows[flow]
	q := packet.Quote{Type: tr.typ, Source: tr.source, Target: tr.target, TTL: 1, IPID: m.IPID}
	switch tr.typ {
	case packet.ICMP:
		q.EchoID, q.Checksum, q.Sequence, q.HasSequence = uint16(f.handle), f.checksum(), m.Sequence, true
	case packet.UDP, packet.TCP:
		q.SourcePort, q.TargetPort, q.Sequence, q.HasSequence = f.sourcePort, tr.port, m.Sequence, true
	case packet.GRE:
		q.Key, q.HasKey = f.key(), true
	}
	return q
}

// allQuotes sends every probe and returns the quote of one in the middle.
func allQuotes(tr *trace, id *identity) packet.Quote {
	var middle packet.Quote
	for ttl := 1; ttl <= guessTTLs; ttl++ {
		for flow := range guessFlows {
			if q := quoteOf(tr, id, flow, ttl); ttl == 7 && flow == 1 {
				middle = q
			}
		}
	}
	return middle
}

// accepted counts the guesses of a 16-bit field that are believed by a trace
// that has seen so many forgeries.
func accepted(tr *trace, id *identity, q packet.Quote, forgeries int, set func(*packet.Quote, uint16)) int {
	count := 0
	for guess := range 1 << 16 {
		set(&q, uint16(guess))
		tr.counts.Forged = forgeries
		r := packet.Reply{Kind: packet.TimeExceeded, From: tr.target, Quote: q}
		if m, why := id.find(&r); why == matched && m.trace == tr {
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
func setHandle(q *packet.Quote, v uint16)   { q.Key = uint32(v)<<16 | q.Key&0xffff }
func setProof(q *packet.Quote, v uint16)    { q.Key = q.Key&^0xffff | uint32(v) }

// TestScenarioGuesses holds the second table of docs/adr/0001.
func TestScenarioGuesses(t *testing.T) {
	tests := []struct {
		name      string
		typ       packet.Type
		forgeries int
		set       func(*packet.Quote, uint16)
		spoil     func(*packet.Quote) // makes another field wrong first
		want      int                 // right guesses among 65,536, at most
		exactly   bool
	}{
		{"icmp identifier", packet.ICMP, 0, setEchoID, nil, 1, true},
		{"icmp checksum", packet.ICMP, 0, setChecksum, nil, 1, true},
		{"icmp sequence", packet.ICMP, 0, setSequence, nil, guessTTLs, true},
		{"udp checksum, one identification", packet.UDP, suspicion, setSequence, nil, guessTTLs, false},
		{"udp identification", packet.UDP, suspicion, setIPID, nil, 1, true},
		{"udp identification, translated checksum", packet.UDP, 0, setIPID, func(q *packet.Quote) { q.Sequence ^= 0xfff }, guessTTLs, true},
		{"udp identification, translated checksum, found out", packet.UDP, suspicion, setIPID, func(q *packet.Quote) { q.Sequence ^= 0xfff }, 0, true},
		{"tcp number", packet.TCP, 0, setUpper, nil, guessTTLs, false},
		{"tcp proof", packet.TCP, 0, setLower, nil, 1, true},
		{"gre handle", packet.GRE, 0, setHandle, nil, 1, true},
		{"gre proof", packet.GRE, 0, setProof, nil, 1, true},
		{"gre identification", packet.GRE, 0, setIPID, nil, guessTTLs, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr, id := guessed(t, test.typ)
			q := allQuotes(tr, id)
			if test.spoil != nil {
				test.spoil(&q)
			}
			got := accepted(tr, id, q, test.forgeries, test.set)
			if got > test.want || test.exactly && got != test.want || !test.exactly && got < 1 {
				t.Errorf("%d guesses of 65536 are right, want %d", got, test.want)
			}
		})
	}
}
