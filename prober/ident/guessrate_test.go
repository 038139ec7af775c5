package ident

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"probe-agent/packet"
)

// guesses is what somebody off the path sends at 100,000 packets a second while
// a trace waits for its answers, by default a second.
const guesses = 100_000

// TestGuesserIsNotBelieved: a guesser who knows addresses, method, destination
// port, the ports in use and which TTLs are in flight, and guesses the rest.
// By docs/adr/0001 at most 0.0018 of his packets are believed on average, so
// that three are is out of the question (one in a thousand million).
func TestGuesserIsNotBelieved(t *testing.T) {
	for _, typ := range packet.Types() {
		for _, ipv6 := range []bool{false, true} {
			for name, guess := range map[string]func(*answering, *rand.Rand, *packet.Reply){"errors": guessError, "replies": guessReply} {
				if typ == packet.UDP && name == "replies" {
					continue // TestUDPAnswersProveLittle
				}
				t.Run(fmt.Sprintf("%s/%v/%t", name, typ, ipv6), func(t *testing.T) {
					a := newAnswering(t, typ, ipv6)
					random := rand.New(rand.NewPCG(uint64(typ), 7))
					believed := 0
					for range guesses {
						var r packet.Reply
						guess(&a, random, &r)
						if _, why := a.registry.Match(&r, 0); why == Matched {
							believed++
						}
					}
					if believed > 2 {
						t.Errorf("%d of %d guesses are believed", believed, guesses)
					}
				})
			}
		}
	}
}

// guessError is a time exceeded that quotes a long packet, of which everything
// keyed is guessed.
func guessError(a *answering, random *rand.Rand, r *packet.Reply) {
	p := &a.probes[random.IntN(len(a.probes))]
	f := &p.lease.flows[p.flow]
	*r = packet.Reply{Kind: packet.TimeExceeded, IPv6: p.lease.Target.Is6(), From: p.lease.Target}
	q := &r.Quote
	q.Type, q.Source, q.Target, q.TTL = p.lease.Type, p.lease.flows[0].Source, p.lease.Target, 1
	q.IPID, q.FlowLabel, q.Tag, q.HasTag = uint16(random.Uint32()), random.Uint32N(1<<20), random.Uint64(), true
	q.Sequence, q.HasSequence = p.id.Sequence, true
	switch p.lease.Type {
	case packet.ICMP:
		q.EchoID, q.Checksum = uint16(random.Uint32()), uint16(random.Uint32())
	case packet.UDP:
		q.SourcePort, q.TargetPort = a.port(random), p.lease.Port
		q.Sequence = random.Uint32N(1 << 16)
	case packet.TCP:
		q.SourcePort, q.TargetPort = a.port(random), p.lease.Port
		q.Sequence = random.Uint32()
	default:
		q.Type, q.Key, q.HasKey = packet.GRE, random.Uint32(), true
		q.EchoID = uint16(f.ID)
	}
}

// guessReply is an answer in the target's own name.
func guessReply(a *answering, random *rand.Rand, r *packet.Reply) {
	p := &a.probes[random.IntN(len(a.probes))]
	*r = packet.Reply{IPv6: p.lease.Target.Is6(), From: p.lease.Target, To: p.lease.flows[0].Source, HasSequence: true, Sequence: p.id.Sequence}
	switch p.lease.Type {
	case packet.ICMP:
		r.Kind, r.Type = packet.EchoReply, packet.ICMP
		r.EchoID, r.Tag, r.HasTag = uint16(random.Uint32()), random.Uint64(), true
	case packet.TCP:
		r.Kind, r.Type = packet.SynAck, packet.TCP
		r.SourcePort, r.TargetPort, r.Sequence = p.lease.Port, a.port(random), random.Uint32()
	default:
		r.Kind, r.Type = packet.GREAnswer, packet.GRE
		r.Key, r.HasKey, r.Tag, r.HasTag = random.Uint32(), true, random.Uint64(), true
	}
}

func (a *answering) port(random *rand.Rand) uint16 {
	ports := a.registry.ports
	return ports[random.IntN(len(ports))]
}

// TestUDPAnswersProveLittle holds the exception of docs/adr/0001: a datagram
// from the target's port to a port of a running flow is believed, whatever is
// in it, and to no other; until too many ports without one were tried.
func TestUDPAnswersProveLittle(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		a := newAnswering(t, packet.UDP, ipv6)
		p := a.probes[0]
		believed := 0
		watched := a.registry.watched[p.lease.Target]
		for _, port := range a.registry.ports {
			watched.misses = [packet.Spaces]int{}
			r := packet.Reply{Kind: packet.UDPAnswer, Type: packet.UDP, IPv6: ipv6, From: p.lease.Target, SourcePort: p.lease.Port, TargetPort: port}
			if _, why := a.registry.Match(&r, 0); why == Matched {
				believed++
			}
			for name, spoil := range map[string]func(){
				"another port":   func() { r.SourcePort++ },
				"another source": func() { r.From = p.lease.flows[0].Source },
			} {
				spoil()
				if _, why := a.registry.Match(&r, 0); why == Matched {
					t.Errorf("a datagram from %s is believed", name)
				}
			}
		}
		watched.misses[packet.UDP.Space()] = suspicion
		r := packet.Reply{Kind: packet.UDPAnswer, Type: packet.UDP, IPv6: ipv6, From: p.lease.Target, SourcePort: p.lease.Port, TargetPort: p.lease.flows[0].SourcePort}
		if _, why := a.registry.Match(&r, 0); why != Forged {
			t.Errorf("after %d misses a datagram is %d, want %d (forged)", suspicion, why, Forged)
		}
		if flows := 2 * len(p.lease.flows); believed != flows {
			t.Errorf("%d of %d ports are believed, to one target run %d flows", believed, len(a.registry.ports), flows)
		}
	}
}
