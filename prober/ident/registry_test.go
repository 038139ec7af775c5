package ident

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// leasesOf are leases of some flows each, which have none yet.
func leasesOf(n int, typ packet.Type) []*Lease[string] {
	leases := make([]*Lease[string], n)
	for i := range leases {
		leases[i] = &Lease[string]{Type: typ, Target: netip.MustParseAddr("203.0.113.7"), Port: 33434, MaxTTL: 15, Nonce: uint64(i)}
	}
	return leases
}

func requestsOf(flows int, leases ...*Lease[string]) []Request[string] {
	requests := make([]Request[string], len(leases))
	for i := range requests {
		requests[i] = Request[string]{Lease: leases[i], Flows: flows}
	}
	return requests
}

func testPorts(n int) []uint16 {
	ports := make([]uint16, n)
	for i := range ports {
		ports[i] = uint16(33000 + i)
	}
	return ports
}

// claim is a lease in TestReservations, and what it waits for.
type claim struct {
	lease *Lease[string]
	wait  *Reservation[string] // nil: nothing
	until mono.Instant         // of its quarantine
	flows []Flow               // that it had
}

func (c *claim) granted() bool {
	if c.wait == nil {
		return true
	}
	select {
	case <-c.wait.Granted():
		return true
	default:
		return false
	}
}

// TestReservations: whatever comes, grows, waits, gives up and goes, no two flows
// that are leased or in quarantine share an identifier or an endpoint, those that
// wait for ports get them in order, and in the end all is free again.
func TestReservations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := New[string](testPorts(16))
		typ := rapid.SampledFrom([]packet.Type{packet.ICMP, packet.UDP, packet.TCP, packet.GRE}).Draw(t, "type")
		var running, resting, waiting []*claim
		now := mono.Instant(0)
		check := func() {
			for len(waiting) > 0 && waiting[0].granted() {
				running, waiting = append(running, waiting[0]), waiting[1:]
			}
			if slices.ContainsFunc(waiting, (*claim).granted) {
				t.Fatal("granted out of order")
			}
			resting = slices.DeleteFunc(resting, func(c *claim) bool { return c.until <= now })
			ids, ports := map[FlowID]bool{}, map[uint16]bool{}
			note := func(flows []Flow) {
				for i := range flows {
					f := &flows[i]
					if ids[f.ID] || f.SourcePort != 0 && ports[f.SourcePort] {
						t.Fatalf("identifier %d or port %d is in use twice", f.ID, f.SourcePort)
					}
					ids[f.ID], ports[f.SourcePort] = true, true
				}
			}
			for _, c := range running {
				note(c.lease.flows)
			}
			for _, c := range resting {
				note(c.flows)
			}
			if held := id.Held(now); held != len(ids) {
				t.Fatalf("%d identifiers are held, want %d", held, len(ids))
			}
		}
		remove := func(list *[]*claim, name string) *claim {
			if len(*list) == 0 {
				t.Skip()
			}
			at := rapid.IntRange(0, len(*list)-1).Draw(t, name)
			c := (*list)[at]
			*list = slices.Delete(*list, at, at+1)
			return c
		}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				c := &claim{lease: leasesOf(1, typ)[0]}
				if c.wait = id.Reserve(now, requestsOf(rapid.IntRange(1, 10).Draw(t, "flows"), c.lease)...); c.wait != nil {
					waiting = append(waiting, c)
				} else {
					running = append(running, c)
				}
				check()
			},
			"grow": func(t *rapid.T) {
				if len(running) == 0 {
					t.Skip()
				}
				l := rapid.SampledFrom(running).Draw(t, "which").lease
				before, flows := l.Flows(), rapid.IntRange(1, 4).Draw(t, "flows")
				ok := id.TryReserve(now, Request[string]{Lease: l, Flows: flows})
				if ok && len(waiting) > 0 && typ.HasPorts() {
					t.Fatal("went before those that wait")
				}
				if grown := l.Flows() - before; ok && grown != flows || !ok && grown != 0 {
					t.Fatalf("%d flows more, want %d or none", grown, flows)
				}
				check()
			},
			"end": func(*rapid.T) {
				c := remove(&running, "which")
				c.until, c.flows = now.Add(time.Second), slices.Clone(c.lease.flows)
				id.Release(c.lease, c.until)
				resting = append(resting, c)
				check()
			},
			"give up": func(*rapid.T) { id.Abandon(remove(&waiting, "which").wait, now); check() },
			"time":    func(*rapid.T) { now = now.Add(300 * time.Millisecond); id.Expire(now); check() },
			"":        func(*rapid.T) {},
		})
		for len(running)+len(waiting)+len(resting) > 0 {
			for _, c := range running {
				id.Release(c.lease, now)
			}
			running, now = nil, now.Add(time.Second)
			id.Expire(now)
			check()
		}
		if len(id.used)+len(id.endpoints)+len(id.queues)+len(id.watched) != 0 {
			t.Fatalf("left over: %d destinations, %d endpoints, %d queues, %d targets", len(id.used), len(id.endpoints), len(id.queues), len(id.watched))
		}
	})
}

// TestIdentifiersRunOut: a lease may have nearly all identifiers; who finds none
// waits for them, several leases together, and is served when they are free.
func TestIdentifiersRunOut(t *testing.T) {
	id := New[string](testPorts(10))
	leases := leasesOf(2, packet.GRE)
	all, some := leases[0], leases[1]
	if id.Reserve(0, requestsOf(ids-15, all)...) != nil || id.Reserve(0, requestsOf(5, some)...) != nil {
		t.Fatal("too few identifiers")
	}
	pair := leasesOf(2, packet.GREEcho) // one of them fits
	wait := &claim{wait: id.Reserve(0, requestsOf(10, pair...)...)}
	if wait.wait == nil || wait.granted() {
		t.Fatal("both got identifiers, there are enough for one")
	}
	id.Release(all, mono.Instant(time.Second))
	id.Expire(mono.Instant(time.Second) - 1)
	if wait.granted() {
		t.Error("identifiers in quarantine were given away")
	}
	if id.Expire(mono.Instant(time.Second)); !wait.granted() {
		t.Error("not served when identifiers were free")
	}
}

// TestEndpointsAreExclusive: of UDP and TCP, a target's answer may say no more
// than address and ports, so no two flows share these; all held ports serve one
// destination, and each destination anew.
func TestEndpointsAreExclusive(t *testing.T) {
	for _, typ := range []packet.Type{packet.UDP, packet.TCP} {
		id := New[string](testPorts(256))
		for i, l := range leasesOf(26, typ) {
			if wait := id.Reserve(0, requestsOf(10, l)...); (wait != nil) != (i == 25) {
				t.Fatalf("%v: lease %d of 10 flows on 256 ports: waits %v", typ, i, wait != nil)
			}
		}
		elsewhere := leasesOf(1, typ)[0]
		elsewhere.Port++
		if id.Reserve(0, requestsOf(10, elsewhere)...) != nil {
			t.Errorf("%v: ports to one destination are short at another", typ)
		}
	}
}

// TestFieldsRoundTrip: what the fields of a probe carry is read back, and
// takes no value that a header field cannot hold or that would be replaced on
// the way.
func TestFieldsRoundTrip(t *testing.T) {
	r := sharedRegistry()
	rapid.Check(t, func(t *rapid.T) {
		l := leasesOf(1, rapid.SampledFrom(packet.Types()).Draw(t, "type"))[0]
		l.MaxTTL = MaxTTL
		if r.Reserve(0, requestsOf(2, l)...) != nil {
			t.Fatal("too few identifiers")
		}
		defer r.Release(l, 0)
		ttl := rapid.IntRange(1, 64).Draw(t, "ttl")
		if m, ok := r.ByTxID(l.TxID(1, uint8(ttl))); !ok || m.lease != l || m.Flow != 1 || int(m.TTL) != ttl {
			t.Fatalf("TxID of TTL %d of flow 1 read as %d of %d, %v", ttl, m.TTL, m.Flow, ok)
		}
		f := Flow{tag: rapid.Uint64().Draw(t, "tag")}
		id, sum := f.ipid(uint8(ttl)), f.checksum16(uint8(ttl))
		if got, ok := f.byIPID(id); !ok || got != ttl || id == 0 {
			t.Fatalf("identification %#x of TTL %d read as %d, %v", id, ttl, got, ok)
		}
		if got, ok := f.byChecksum16(sum); !ok || got != ttl || sum == 0 || sum == 0xffff {
			t.Fatalf("checksum %#x of TTL %d read as %d, %v", sum, ttl, got, ok)
		}
		if f.Checksum() == 0xffff || f.Checksum() == 0 || f.label() == 0 || f.label() > 0xfffff {
			t.Fatalf("checksum %#x, label %#x", f.Checksum(), f.label())
		}
	})
}

// TestSequenceNumbers: the SYNs of a flow rise within 512, whatever was refused
// in between, and a later flow on the same endpoint continues a little above.
func TestSequenceNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := New[string](testPorts(10))
		first := leasesOf(1, packet.TCP)[0]
		first.MaxTTL = MaxTTL
		id.Reserve(0, requestsOf(10, first)...)
		offsets, last := map[int]uint32{}, -1
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			ttl := rapid.IntRange(1, 64).Draw(t, "ttl")
			if _, sent := offsets[ttl]; sent {
				if ttl == last && rapid.Bool().Draw(t, "refused") {
					first.Withdraw(3, uint8(ttl))
					delete(offsets, ttl)
				}
				continue
			}
			m := id.Probe(first, 3, uint8(ttl))
			offset := m.Sequence - first.flows[3].firstSequence
			for earlier, before := range offsets {
				if before >= offset || offset >= synSpan {
					t.Fatalf("offset %d of TTL %d, and %d of TTL %d before it", offset, ttl, before, earlier)
				}
			}
			offsets[ttl], last = offset, ttl
		}
		for ttl, offset := range offsets {
			if got, ok := first.flows[3].bySYN(offset); !ok || got != ttl {
				t.Fatalf("offset %d of TTL %d read as %d, %v", offset, ttl, got, ok)
			}
		}
		before := slices.Clone(first.flows)
		id.Release(first, 0)
		later := mono.Instant(rapid.Int64Range(int64(time.Second), int64(8*time.Second)).Draw(t, "later"))
		second := leasesOf(1, packet.TCP)[0]
		id.Reserve(later, requestsOf(10, second)...) // on the same ten ports
		for i := range before {
			for j := range second.flows {
				if f, g := &before[i], &second.flows[j]; f.SourcePort == g.SourcePort {
					if ahead := g.firstSequence - f.firstSequence; ahead < synSpan || ahead > 64240 {
						t.Fatalf("%v later the first number is %d ahead", time.Duration(later), ahead)
					}
				}
			}
		}
	})
}

// TestRepeatingFlows: all SYNs of such a flow have one sequence number, and are
// told apart by the timestamp value or the identification.
func TestRepeatingFlows(t *testing.T) {
	id := sharedRegistry()
	source := netip.MustParseAddr("198.51.100.2")
	l := lease(t, id, Lease[string]{Type: packet.TCP, Target: netip.MustParseAddr("203.0.113.7"), Port: 80, MaxTTL: 15, Nonce: 1}, 2, source)
	if !id.TryReserve(0, Request[string]{Lease: l, Flows: 2, Repeats: true}) {
		t.Fatal("too few identifiers")
	}
	l.flows[3].Source = source
	sequences := map[uint32]bool{}
	for ttl := 5; ttl >= 1; ttl-- {
		p := send(t, id, l, 3, ttl)
		sequences[p.id.Sequence] = true
		q := packet.Quote{Type: packet.TCP, Target: l.Target, SourcePort: l.flows[3].SourcePort, TargetPort: l.Port, Sequence: p.id.Sequence, HasSequence: true}
		stamped, identified := q, q
		stamped.Tag, stamped.HasTag = p.id.Tag, true
		identified.IPID = p.id.IPID
		for _, q := range []packet.Quote{stamped, identified} {
			m, why := id.Match(&packet.Reply{Kind: packet.TimeExceeded, Quote: q}, 0)
			if why != Matched || m.Flow != 3 || int(m.TTL) != ttl || m.Evidence != Strong {
				t.Errorf("TTL %d: verdict %d, TTL %d of flow %d, evidence %d", ttl, why, m.TTL, m.Flow, m.Evidence)
			}
		}
	}
	if len(sequences) != 1 {
		t.Errorf("%d sequence numbers", len(sequences))
	}
}
