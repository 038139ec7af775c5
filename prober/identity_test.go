package prober

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

func tracesOf(n int, spec traceroute.Spec, typ packet.Type) []*trace {
	spec.Target = netip.MustParseAddr("203.0.113.7")
	spec, err := spec.Complete()
	if err != nil {
		panic(err)
	}
	traces := make([]*trace, n)
	for i := range traces {
		traces[i] = newTrace(spec, typ, netip.MustParseAddr("198.51.100.2"), uint64(i))
	}
	return traces
}

func testPorts(n int) []uint16 {
	ports := make([]uint16, n)
	for i := range ports {
		ports[i] = uint16(33000 + i)
	}
	return ports
}

// TestReservations: whatever comes, waits, gives up and goes, no two flows that
// run or are in quarantine share a handle or an endpoint, those that wait for
// ports get them in order, and in the end all is free again.
func TestReservations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := newIdentity(testPorts(16))
		typ := rapid.SampledFrom([]packet.Type{packet.ICMP, packet.UDP, packet.TCP, packet.GRE}).Draw(t, "type")
		var running, resting, waiting []*reservation
		now := mono.Instant(0)
		until := map[*reservation]mono.Instant{}
		check := func() {
			for len(waiting) > 0 && isGranted(waiting[0]) {
				running, waiting = append(running, waiting[0]), waiting[1:]
			}
			if slices.ContainsFunc(waiting, isGranted) {
				t.Fatal("granted out of order")
			}
			resting = slices.DeleteFunc(resting, func(r *reservation) bool { return until[r] <= now })
			handles, ports := map[handle]bool{}, map[uint16]bool{}
			for _, r := range slices.Concat(running, resting) {
				for i := range r.traces[0].flows {
					f := &r.traces[0].flows[i]
					if handles[f.handle] || f.sourcePort != 0 && ports[f.sourcePort] {
						t.Fatalf("handle %d or port %d is in use twice", f.handle, f.sourcePort)
					}
					handles[f.handle], ports[f.sourcePort] = true, true
				}
			}
			if held := id.held(now); held != len(handles) {
				t.Fatalf("%d handles are held, want %d", held, len(handles))
			}
		}
		remove := func(list *[]*reservation, name string) *reservation {
			if len(*list) == 0 {
				t.Skip()
			}
			at := rapid.IntRange(0, len(*list)-1).Draw(t, name)
			r := (*list)[at]
			*list = slices.Delete(*list, at, at+1)
			return r
		}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				tr := tracesOf(1, traceroute.Spec{PacketsPerTTL: rapid.IntRange(1, 10).Draw(t, "packets")}, typ)
				if r := id.reserve(tr, now); r != nil {
					waiting = append(waiting, r)
				} else {
					running = append(running, &reservation{traces: tr})
				}
				check()
			},
			"end": func(*rapid.T) {
				r := remove(&running, "which")
				until[r] = now.Add(time.Second)
				id.release(r.traces[0], until[r])
				resting = append(resting, r)
				check()
			},
			"give up": func(*rapid.T) { id.abandon(remove(&waiting, "which"), now); check() },
			"time":    func(*rapid.T) { now = now.Add(300 * time.Millisecond); id.expire(now); check() },
			"":        func(*rapid.T) {},
		})
		for len(running)+len(waiting)+len(resting) > 0 {
			for _, r := range running {
				id.release(r.traces[0], now)
			}
			running, now = nil, now.Add(time.Second)
			id.expire(now)
			check()
		}
		if len(id.used)+len(id.flows)+len(id.queues)+len(id.watched) != 0 {
			t.Fatalf("left over: %d destinations, %d endpoints, %d queues, %d targets", len(id.used), len(id.flows), len(id.queues), len(id.watched))
		}
	})
}

func isGranted(r *reservation) bool {
	select {
	case <-r.granted:
		return true
	default:
		return false
	}
}

// TestHandlesRunOut: the traces that find no handle wait for one, both halves
// of a pair together, and are served when one is free.
func TestHandlesRunOut(t *testing.T) {
	id := newIdentity(testPorts(10))
	var all []*trace
	for range handles/10 - 1 {
		all = append(all, tracesOf(1, traceroute.Spec{PacketsPerTTL: 10}, packet.GRE)...)
	}
	if id.reserve(all, 0) != nil {
		t.Fatal("too few handles")
	}
	pair := tracesOf(2, traceroute.Spec{PacketsPerTTL: 10}, packet.GREEcho) // one half fits
	wait := id.reserve(pair, 0)
	if wait == nil || isGranted(wait) {
		t.Fatal("both halves got handles, there are enough for one")
	}
	id.release(all[0], mono.Instant(time.Second))
	id.expire(mono.Instant(time.Second) - 1)
	if isGranted(wait) {
		t.Error("handles in quarantine were given away")
	}
	if id.expire(mono.Instant(time.Second)); !isGranted(wait) {
		t.Error("not served when handles were free")
	}
}

// TestEndpointsAreExclusive: of UDP and TCP, a target's answer may say no more
// than address and ports, so no two flows share these; all held ports serve one
// destination, and each destination anew.
func TestEndpointsAreExclusive(t *testing.T) {
	for _, typ := range []packet.Type{packet.UDP, packet.TCP} {
		id := newIdentity(testPorts(256))
		traces := tracesOf(26, traceroute.Spec{PacketsPerTTL: 10}, typ)
		for i, tr := range traces {
			if wait := id.reserve([]*trace{tr}, 0); (wait != nil) != (i == 25) {
				t.Fatalf("%v: trace %d of 10 flows on 256 ports: waits %v", typ, i, wait != nil)
			}
		}
		elsewhere := tracesOf(1, traceroute.Spec{PacketsPerTTL: 10}, typ)
		elsewhere[0].port++
		if id.reserve(elsewhere, 0) != nil {
			t.Errorf("%v: ports to one destination are short at another", typ)
		}
	}
}

// TestFieldsRoundTrip: what the fields of a probe carry is read back, and
// takes no value that a header field cannot hold or that would be replaced on
// the way.
func TestFieldsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := handle(rapid.Uint16().Draw(t, "handle"))
		ttl := rapid.IntRange(1, 64).Draw(t, "ttl")
		sp := space(rapid.IntRange(0, int(spaces)-1).Draw(t, "space"))
		if gotSpace, gotHandle, gotTTL := splitToken(token(sp, h, uint8(ttl))); gotSpace != sp || gotHandle != h || int(gotTTL) != ttl {
			t.Fatalf("token: %v %v %v became %v %v %v", sp, h, ttl, gotSpace, gotHandle, gotTTL)
		}
		f := flow{tag: rapid.Uint64().Draw(t, "tag"), handle: h}
		id, sum := f.ipid(uint8(ttl)), f.udpChecksum(uint8(ttl))
		if got, ok := f.byIPID(id); !ok || got != ttl || id == 0 {
			t.Fatalf("identification %#x of TTL %d read as %d, %v", id, ttl, got, ok)
		}
		if got, ok := f.byUDPChecksum(sum); !ok || got != ttl || sum == 0 || sum == 0xffff {
			t.Fatalf("checksum %#x of TTL %d read as %d, %v", sum, ttl, got, ok)
		}
		if f.checksum() == 0xffff || f.checksum() == 0 || f.label() == 0 || f.label() > 0xfffff {
			t.Fatalf("checksum %#x, label %#x", f.checksum(), f.label())
		}
	})
}

// TestSequenceNumbers: the SYNs of a flow rise within 512, whatever was refused
// in between, and a later flow on the same endpoint continues a little above.
func TestSequenceNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := newIdentity(testPorts(10))
		first := tracesOf(1, traceroute.Spec{Method: traceroute.TCP, MaxTTL: 64, PacketsPerTTL: 10}, packet.TCP)[0]
		id.reserve([]*trace{first}, 0)
		offsets, last := map[int]uint32{}, -1
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			ttl := rapid.IntRange(1, 64).Draw(t, "ttl")
			if first.slot(3, ttl).state == sent {
				if ttl == last && rapid.Bool().Draw(t, "refused") {
					first.withdraw(3, ttl)
					delete(offsets, ttl)
				}
				continue
			}
			m := first.reserve(3, ttl, 0, 0, id)
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
		id.release(first, 0)
		later := mono.Instant(rapid.Int64Range(int64(time.Second), int64(8*time.Second)).Draw(t, "later"))
		second := tracesOf(1, traceroute.Spec{Method: traceroute.TCP, PacketsPerTTL: 10}, packet.TCP)[0]
		id.reserve([]*trace{second}, later) // on the same ten ports
		for i := range first.flows {
			for j := range second.flows {
				if f, g := &first.flows[i], &second.flows[j]; f.sourcePort == g.sourcePort {
					if ahead := g.firstSequence - f.firstSequence; ahead < synSpan || ahead > 64240 {
						t.Fatalf("%v later the first number is %d ahead", time.Duration(later), ahead)
					}
				}
			}
		}
	})
}
