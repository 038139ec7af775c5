package netsim

import (
	"encoding/binary"
	"time"
)

// Guesser is somebody off the path who sends forged ICMP errors without having
// seen a probe. He knows what can be known: both addresses, the method, the
// destination port, which ports and echo sequence numbers are in use. He
// guesses the rest: identifier, checksum, sequence number, key, identification
// and flow label.
type Guesser struct {
	Rate int           `yaml:"rate"` // packets per second
	For  time.Duration `yaml:"for"`  // from the first probe on
	From Address       `yaml:"from"` // the sender that he claims
	// Code makes them unreachable errors of this code, for IPv6 Code6;
	// without, they are time exceeded.
	Code  *uint8 `yaml:"code"`
	Code6 *uint8 `yaml:"code6"`
}

// maxGuesses bounds what one guesser sends.
const maxGuesses = 1 << 20

// sequencesInFlight is how far a guesser takes the echo sequence numbers of a
// trace to go: 15 TTLs of 3 packets.
const sequencesInFlight = 45

func (g *Guesser) validate(p *place) {
	p.must(g.Rate >= 1 && g.For > 0 && g.packets() <= maxGuesses, "rate %d for %v is not 1 to %d packets", g.Rate, g.For, maxGuesses)
	p.must(!g.From.IsZero(), "no from")
	g.From.fullIfSet(p.field("from"))
	p.must(g.Code6 == nil || g.Code != nil, "code6 without code")
}

func (g *Guesser) packets() int { return int(float64(g.Rate) * g.For.Seconds()) }

// guess sends all of a guesser's packets, each at its time.
func (w *walk) guess(g *Guesser, number int) {
	random := w.network.random(w.network.seed, drawGuess, number)
	f := timeExceeded(w.ipv6, 0)
	if g.Code != nil {
		reject := Reject{Kind: Unreachable, Code: *g.Code, Code6: g.Code6}
		f = reject.failure(w.ipv6)
	}
	gap := time.Second / time.Duration(g.Rate)
	for i := range g.packets() {
		packet := w.forgeError(w.guessed(random), f, g.From.For(w.ipv6))
		w.network.deliveries = append(w.network.deliveries, Delivery{After: time.Duration(i) * gap, Bytes: packet})
	}
}

// guessed returns the first 8 bytes of a probe behind its IP header, with all
// replaced that the guesser cannot know.
func (w *walk) guessed(random func() uint64) *datagram {
	header := w.transport
	d := w.datagram
	d.bytes = append([]byte(nil), w.bytes[:header+8]...)
	segment, r := d.bytes[header:], random()
	if d.ipv6 {
		word := binary.BigEndian.Uint32(d.bytes)&^0xfffff | uint32(random())&0xfffff
		binary.BigEndian.PutUint32(d.bytes, word)
	} else {
		d.setIPID(uint16(random()))
	}
	switch d.kind() {
	case ICMP:
		binary.BigEndian.PutUint32(segment[2:], uint32(r))
		sequence := binary.BigEndian.Uint16(segment[6:]) + uint16(r>>32%sequencesInFlight)
		binary.BigEndian.PutUint16(segment[6:], sequence)
	case UDP:
		binary.BigEndian.PutUint16(segment, firstPort+uint16(r>>32%memoryPorts))
		binary.BigEndian.PutUint16(segment[6:], uint16(r))
	case TCP:
		binary.BigEndian.PutUint16(segment, firstPort+uint16(r>>32%memoryPorts))
		binary.BigEndian.PutUint32(segment[4:], uint32(r))
	case GRE:
		binary.BigEndian.PutUint32(segment[4:], uint32(r))
	}
	return &d
}
