package prober

import (
	"net/netip"
	"testing"
	"time"

	"probe-agent/packet"

	"pgregory.net/rapid"
)

func tracesOf(n int, spec Spec, typ packet.Type) []*trace {
	spec.Target = netip.MustParseAddr("203.0.113.7")
	spec, err := spec.complete()
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

// TestNoTwoFlowsShareAName: whatever comes and goes, names are unique among
// running and resting traces, and the flows of one trace have ports apart.
func TestNoTwoFlowsShareAName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := newIdentity(testPorts(16))
		typ := rapid.SampledFrom([]packet.Type{packet.ICMP, packet.UDP, packet.TCP, packet.GRE}).Draw(t, "type")
		sp := spaceOf(typ)
		held := map[handle]bool{}
		var running []*trace
		now := instant(0)
		type rest struct {
			handles []handle
			until   instant
		}
		var resting []rest
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				q := rapid.IntRange(1, 10).Draw(t, "packets")
				tr := tracesOf(1, Spec{PacketsPerTTL: q}, typ)[0]
				if id.acquire(tr, now) != nil {
					return
				}
				for len(resting) > 0 && resting[0].until <= now {
					for _, h := range resting[0].handles {
						delete(held, h)
					}
					resting = resting[1:]
				}
				ports := map[uint16]bool{}
				for i := range tr.flows {
					h := tr.flows[i].handle
					if held[h] {
						t.Fatalf("handle %d given twice", h)
					}
					held[h] = true
					if sp != echoSpace {
						ports[id.sourcePort(typ, h)] = true
					}
				}
				if sp != echoSpace && len(ports) != q {
					t.Fatalf("%d flows on %d ports", q, len(ports))
				}
				running = append(running, tr)
			},
			"end": func(t *rapid.T) {
				if len(running) == 0 {
					t.Skip()
				}
				tr := running[0]
				running = running[1:]
				id.release(tr, now.add(time.Second))
				r := rest{until: now.add(time.Second)}
				for i := range tr.flows {
					r.handles = append(r.handles, tr.flows[i].handle)
				}
				resting = append(resting, r)
			},
			"time": func(*rapid.T) { now = now.add(300 * time.Millisecond) },
			"":     func(*rapid.T) {},
		})
	})
}

// TestUDPPortsAreExclusiveToATarget: an answer names no more than target and
// ports, so two traces must not share them, quarantine included.
func TestUDPPortsAreExclusiveToATarget(t *testing.T) {
	id := newIdentity(testPorts(10))
	traces := tracesOf(3, Spec{PacketsPerTTL: 5}, packet.UDP)
	for _, tr := range traces[:2] {
		if err := id.acquire(tr, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := id.acquire(traces[2], 0); err == nil {
		t.Error("eleventh flow to one target got a port, there are ten")
	}
	id.release(traces[0], instant(time.Second))
	if err := id.acquire(traces[2], instant(time.Second)-1); err == nil {
		t.Error("a resting port was given away")
	}
	if err := id.acquire(traces[2], instant(time.Second)); err != nil {
		t.Errorf("after its rest: %v", err)
	}
}

func TestNamesRoundTrip(t *testing.T) {
	id := newIdentity(testPorts(64))
	rapid.Check(t, func(t *rapid.T) {
		h := handle(rapid.Uint16().Draw(t, "handle"))
		ttl := uint8(rapid.IntRange(1, 64).Draw(t, "ttl"))
		if gotHandle, gotTTL := byNumber(h.port(), h.number(ttl)); gotHandle != h || gotTTL != ttl {
			t.Fatalf("number: %v %v became %v %v", h, ttl, gotHandle, gotTTL)
		}
		sp := space(rapid.IntRange(0, int(spaces)-1).Draw(t, "space"))
		if gotSpace, gotHandle, gotTTL := splitToken(token(sp, h, ttl)); gotSpace != sp || gotHandle != h || gotTTL != ttl {
			t.Fatalf("token: %v %v %v became %v %v %v", sp, h, ttl, gotSpace, gotHandle, gotTTL)
		}
		tag := rapid.Uint64().Draw(t, "tag")
		if number, low := id.splitTCPSequence(id.tcpSequence(h.number(ttl), tag)); number != h.number(ttl) || low != uint16(tag) {
			t.Fatal("TCP sequence does not come back")
		}
		f := flow{tag: tag, handle: h}
		if got, ok := f.ttlOf(f.ipid(ttl)); !ok || got != ttl || f.ipid(ttl) == 0 {
			t.Fatalf("identification %#x of TTL %d read as %d, %v", f.ipid(ttl), ttl, got, ok)
		}
		if f.checksum() == 0xffff || f.checksum() == 0 || f.label() == 0 || f.label() > 0xfffff {
			t.Fatalf("checksum %#x, label %#x", f.checksum(), f.label())
		}
	})
}

// TestEverySequenceIsAUDPChecksum: 0 means none and 0xffff is the same number
// in one's complement, so no probe may be named by either.
func TestEverySequenceIsAUDPChecksum(t *testing.T) {
	id := newIdentity(testPorts(64))
	for _, list := range id.spaces[udpSpace].free {
		for _, h := range list {
			for _, ttl := range []uint8{1, 64} {
				if s := uint32(h.number(ttl)) + 1; s == 0 || s >= 0xffff {
					t.Fatalf("handle %d, TTL %d: checksum %#x", h, ttl, s)
				}
			}
		}
	}
}

// TestNamesAreGivenBack: after the quarantine of the last trace every name is
// free again.
func TestNamesAreGivenBack(t *testing.T) {
	for _, typ := range []packet.Type{packet.ICMP, packet.UDP, packet.TCP, packet.GRE} {
		id := newIdentity(testPorts(16))
		for _, tr := range tracesOf(3, Spec{PacketsPerTTL: 5}, typ) {
			if err := id.acquire(tr, 0); err != nil {
				t.Fatal(err)
			}
			id.release(tr, instant(time.Second))
		}
		if early := id.held(instant(time.Second) - 1); early != 15 {
			t.Errorf("%v: %d names rest, want 15", typ, early)
		}
		if late := id.held(instant(time.Second)); late != 0 {
			t.Errorf("%v: %d names are not given back", typ, late)
		}
	}
}
