package prober

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sendOne is a probe of the trace that has left at once.
func sendOne(g *prefixGate, t *trace, now instant) { g.take(t).left(now) }

// traceTo is as much of a trace as a prefixGate looks at.
func traceTo(g *prefixGate, target string, now instant) *trace {
	return &trace{pace: g.join(netip.MustParseAddr(target), now)}
}

// TestPrefixGateHoldsItsCeiling: whoever takes as often as the gate allows,
// after pauses and waking late, never exceeds the ceiling within a second,
// however late what was taken leaves, and however late that is known; and comes
// close to it when it leaves soon.
func TestPrefixGateHoldsItsCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 300).Draw(t, "limit")
		g := newPrefixGate(float64(limit))
		now := instant(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		started := now
		one := traceTo(g, "198.51.100.1", now)
		var left []instant
		flying := make(map[instant]int) // by when they are known to have left
		land := func() {
			for _, known := range slices.Sorted(maps.Keys(flying)) {
				if known <= now {
					for range flying[known] {
						one.pace.left(known)
					}
					delete(flying, known)
				}
			}
		}
		eager := true
		stuck := rapid.SampledFrom([]time.Duration{time.Millisecond, prefixStep, 3 * time.Second}).Draw(t, "stuck for")
		for len(left) < 4*limit+20 {
			land()
			if at := g.opens(one, now); at > now {
				if at.since(now) > time.Second+3*prefixStep {
					t.Fatalf("waits %v", at.since(now))
				}
				now = at
				continue
			}
			g.take(one)
			sent := now.add(time.Duration(rapid.Int64Range(0, int64(stuck)).Draw(t, "late")))
			left = append(left, sent)
			flying[sent.add(time.Duration(rapid.Int64Range(0, int64(stuck)).Draw(t, "known late")))]++
			eager = eager && stuck == time.Millisecond
			if rapid.IntRange(0, 20).Draw(t, "pauses") == 0 {
				pause := time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "pause"))
				eager = eager && pause < time.Millisecond
				now = now.add(pause)
			}
		}
		for i := range left {
			within := 0
			for _, at := range left {
				if at >= left[i] && at < left[i].add(time.Second) {
					within++
				}
			}
			if within > limit {
				t.Fatalf("%d probes within a second, ceiling %d", within, limit)
			}
		}
		if took := now.since(started).Seconds(); eager && float64(len(left)) < took*float64(limit)*0.9 {
			t.Fatalf("%d probes in %v s, ceiling %d", len(left), took, limit)
		}
	})
}

func TestPrefixes(t *testing.T) {
	tests := []struct {
		one, other string
		same       bool
	}{
		{"198.51.100.1", "198.51.100.255", true},
		{"198.51.100.1", "198.51.101.1", false},
		{"2001:db8:1::1", "2001:db8:1:ffff::1", true},
		{"2001:db8:1::1", "2001:db8:2::1", false},
		{"198.51.100.1", "2001:db8:1::1", false},
	}
	for _, tt := range tests {
		g := newPrefixGate(1)
		one, other := traceTo(g, tt.one, 0), traceTo(g, tt.other, 0)
		sendOne(g, one, 0)
		if held := g.opens(other, 0) > 0; held != tt.same {
			t.Errorf("a probe to %s holds back one to %s: %t, want %t", tt.one, tt.other, held, tt.same)
		}
	}
}

// TestPrefixGateEviction: nobody begins anew by making the gate forget.
func TestPrefixGateEviction(t *testing.T) {
	g := newPrefixGate(2)
	prefix := func(i int) string {
		return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}).String()
	}
	taken := func(target string, now instant) int {
		one := traceTo(g, target, now)
		defer g.leave(one)
		n := 0
		for ; g.opens(one, now) <= now; n++ {
			sendOne(g, one, now)
		}
		return n
	}
	now := instant(time.Hour)
	for i := range maxPrefixes {
		if n := taken(prefix(i), now); n != 2 {
			t.Fatalf("prefix %d: %d probes, want 2", i, n)
		}
	}
	// The table is full of prefixes that all count: all others share one pace.
	if n := taken(prefix(maxPrefixes), now) + taken(prefix(maxPrefixes+1), now); n != 2 {
		t.Errorf("two more prefixes sent %d, want 2 together", n)
	}
	// Half a second later everybody is still held, those in the rest as well.
	now = now.add(time.Second / 2)
	for _, i := range []int{0, maxPrefixes - 1, maxPrefixes} {
		if n := taken(prefix(i), now); n != 0 {
			t.Errorf("prefix %d sent %d within the second", i, n)
		}
	}
	if len(g.paces) > maxPrefixes {
		t.Errorf("%d prefixes remembered, want at most %d", len(g.paces), maxPrefixes)
	}
	// When all is forgotten the table has room, but for prefixes in use.
	used := traceTo(g, prefix(0), now)
	now = now.add(2 * time.Second)
	if n := taken(prefix(maxPrefixes), now); n != 2 {
		t.Errorf("sent %d after a pause, want 2", n)
	}
	if len(g.paces) != 2 || g.paces[netip.MustParsePrefix("10.0.0.0/24")] != used.pace {
		t.Errorf("%d prefixes remembered, want the one used and the last", len(g.paces))
	}
}

// TestPrefixGateRestIsNoWayOut: a prefix that was counted with the rest does
// not get a fresh place as long as that counts.
func TestPrefixGateRestIsNoWayOut(t *testing.T) {
	g := newPrefixGate(2)
	one := &trace{pace: &g.rest}
	g.rest.users++
	sendOne(g, one, 0)
	sendOne(g, one, 0)
	g.leave(one)
	if again := traceTo(g, "198.51.100.1", 0); g.opens(again, 0) <= 0 {
		t.Error("a prefix of the rest begins anew in the table")
	}
}

// TestPrefixGateWhatIsOnItsWay: a probe that has not left holds its place,
// longer than its trace lasts; one that never leaves gives it back.
func TestPrefixGateWhatIsOnItsWay(t *testing.T) {
	g := newPrefixGate(2)
	one := traceTo(g, "198.51.100.1", 0)
	pace := g.take(one)
	g.take(one)
	g.leave(one)
	now := instant(time.Hour)
	g.sweep(now)
	other := traceTo(g, "198.51.100.2", now)
	if at := g.opens(other, now); at.since(now) < time.Second {
		t.Errorf("opens after %v, want a second from now, when they may leave", at.since(now))
	}
	pace.stayed()
	if g.opens(other, now) > now {
		t.Error("a probe that was not sent keeps its place")
	}
	pace.left(now)
	g.take(other)
	if at := g.opens(other, now.add(time.Second)); at <= now.add(time.Second) {
		t.Error("a probe that left a second ago may have been seen within it, yet does not count")
	}
	now = now.add(time.Second)
	other.pace.left(now)
	if now = now.add(time.Second + 2*prefixStep); g.opens(other, now) > now || pace.total != 0 {
		t.Errorf("%d probes count after more than a second", pace.total)
	}
}

func TestPrefixGateLifted(t *testing.T) {
	g := newPrefixGate(0)
	one := traceTo(g, "198.51.100.1", 0)
	for range 10_000 {
		sendOne(g, one, 0)
	}
	if one.pace != nil || g.opens(one, 0) > 0 || len(g.paces) != 0 {
		t.Error("a gate without ceiling counts or holds back")
	}
}

func TestPrefixGateAllocatesNothing(t *testing.T) {
	g := newPrefixGate(100)
	one := traceTo(g, "198.51.100.1", 0)
	now := instant(0)
	if n := testing.AllocsPerRun(1000, func() {
		if at := g.opens(one, now); at > now {
			now = at
			return
		}
		sendOne(g, one, now)
	}); n != 0 {
		t.Errorf("%v allocations a probe", n)
	}
}

func BenchmarkPrefixGate(b *testing.B) {
	for name, rate := range map[string]float64{"lifted": 0, "limited": 1e9} {
		b.Run(name, func(b *testing.B) {
			g := newPrefixGate(rate)
			one := traceTo(g, "198.51.100.1", 0)
			now := instant(0)
			for b.Loop() {
				if g.opens(one, now) <= now {
					sendOne(g, one, now)
				}
				now = now.add(10 * time.Microsecond)
			}
		})
	}
}
