package pacing

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/prober/mono"
)

// sendOne is a probe that has left at once.
func sendOne(p *PrefixCount, now mono.Instant) {
	p.Take()
	p.Sent(now)
}

func join(l *PrefixLimiter, target string, now mono.Instant) *PrefixCount {
	return l.Join(netip.MustParseAddr(target), now)
}

// TestPrefixLimiterHoldsItsCeiling: whoever takes as often as the limiter allows,
// after pauses and waking late, never exceeds the ceiling within a second,
// however late what was taken leaves, and however late that is known; and comes
// close to it when it leaves soon.
func TestPrefixLimiterHoldsItsCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 300).Draw(t, "limit")
		l := NewPrefixLimiter(float64(limit))
		now := mono.Instant(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		started := now
		one := join(l, "198.51.100.1", now)
		var left []mono.Instant
		flying := make(map[mono.Instant]int) // by when they are known to have left
		land := func() {
			for _, known := range slices.Sorted(maps.Keys(flying)) {
				if known <= now {
					for range flying[known] {
						one.Sent(known)
					}
					delete(flying, known)
				}
			}
		}
		eager := true
		stuck := rapid.SampledFrom([]time.Duration{time.Millisecond, prefixStep, 3 * time.Second}).Draw(t, "stuck for")
		for len(left) < 4*limit+20 {
			land()
			if at := l.ReadyAt(one, now, 0); at > now {
				if at.Since(now) > time.Second+3*prefixStep {
					t.Fatalf("waits %v", at.Since(now))
				}
				now = at
				continue
			}
			one.Take()
			sent := now.Add(time.Duration(rapid.Int64Range(0, int64(stuck)).Draw(t, "late")))
			left = append(left, sent)
			flying[sent.Add(time.Duration(rapid.Int64Range(0, int64(stuck)).Draw(t, "known late")))]++
			eager = eager && stuck == time.Millisecond
			if rapid.IntRange(0, 20).Draw(t, "pauses") == 0 {
				pause := time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "pause"))
				eager = eager && pause < time.Millisecond
				now = now.Add(pause)
			}
		}
		for i := range left {
			within := 0
			for _, at := range left {
				if at >= left[i] && at < left[i].Add(time.Second) {
					within++
				}
			}
			if within > limit {
				t.Fatalf("%d probes within a second, ceiling %d", within, limit)
			}
		}
		if took := now.Since(started).Seconds(); eager && float64(len(left)) < took*float64(limit)*0.9 {
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
		l := NewPrefixLimiter(1)
		one, other := join(l, tt.one, 0), join(l, tt.other, 0)
		sendOne(one, 0)
		if held := l.ReadyAt(other, 0, 0) > 0; held != tt.same {
			t.Errorf("a probe to %s holds back one to %s: %t, want %t", tt.one, tt.other, held, tt.same)
		}
	}
}

// TestPrefixLimiterEviction: nobody begins anew by making the limiter forget.
func TestPrefixLimiterEviction(t *testing.T) {
	l := NewPrefixLimiter(2)
	prefix := func(i int) string {
		return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}).String()
	}
	taken := func(target string, now mono.Instant) int {
		one := join(l, target, now)
		defer l.Leave(one)
		n := 0
		for ; l.ReadyAt(one, now, 0) <= now; n++ {
			sendOne(one, now)
		}
		return n
	}
	now := mono.Instant(time.Hour)
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
	now = now.Add(time.Second / 2)
	for _, i := range []int{0, maxPrefixes - 1, maxPrefixes} {
		if n := taken(prefix(i), now); n != 0 {
			t.Errorf("prefix %d sent %d within the second", i, n)
		}
	}
	if len(l.prefixes) > maxPrefixes {
		t.Errorf("%d prefixes remembered, want at most %d", len(l.prefixes), maxPrefixes)
	}
	// When all is forgotten the table has room, but for prefixes in use.
	used := join(l, prefix(0), now)
	now = now.Add(2 * time.Second)
	if n := taken(prefix(maxPrefixes), now); n != 2 {
		t.Errorf("sent %d after a pause, want 2", n)
	}
	if len(l.prefixes) != 2 || l.prefixes[netip.MustParsePrefix("10.0.0.0/24")] != used {
		t.Errorf("%d prefixes remembered, want the one used and the last", len(l.prefixes))
	}
}

// TestPrefixLimiterRestIsNoWayOut: a prefix that was counted with the rest does
// not get a fresh place as long as that counts.
func TestPrefixLimiterRestIsNoWayOut(t *testing.T) {
	l := NewPrefixLimiter(2)
	one := &l.overflow
	one.users++
	sendOne(one, 0)
	sendOne(one, 0)
	l.Leave(one)
	if again := join(l, "198.51.100.1", 0); l.ReadyAt(again, 0, 0) <= 0 {
		t.Error("a prefix of the rest begins anew in the table")
	}
}

// TestPrefixLimiterWhatIsOnItsWay: a probe that has not left holds its place,
// longer than its trace lasts; one that never leaves gives it back.
func TestPrefixLimiterWhatIsOnItsWay(t *testing.T) {
	l := NewPrefixLimiter(2)
	one := join(l, "198.51.100.1", 0)
	one.Take()
	one.Take()
	l.Leave(one)
	now := mono.Instant(time.Hour)
	l.sweep(now)
	other := join(l, "198.51.100.2", now)
	if at := l.ReadyAt(other, now, 0); at.Since(now) < time.Second {
		t.Errorf("opens after %v, want a second from now, when they may leave", at.Since(now))
	}
	one.Cancel()
	if l.ReadyAt(other, now, 0) > now {
		t.Error("a probe that was not sent keeps its place")
	}
	one.Sent(now)
	other.Take()
	if at := l.ReadyAt(other, now.Add(time.Second), 0); at <= now.Add(time.Second) {
		t.Error("a probe that left a second ago may have been seen within it, yet does not count")
	}
	now = now.Add(time.Second)
	other.Sent(now)
	if now = now.Add(time.Second + 2*prefixStep); l.ReadyAt(other, now, 0) > now || one.total != 0 {
		t.Errorf("%d probes count after more than a second", one.total)
	}
}

func TestPrefixLimiterLifted(t *testing.T) {
	l := NewPrefixLimiter(0)
	one := join(l, "198.51.100.1", 0)
	for range 10_000 {
		sendOne(one, 0)
	}
	if one != nil || l.ReadyAt(one, 0, 0) > 0 || len(l.prefixes) != 0 {
		t.Error("a limiter without ceiling counts or holds back")
	}
}

func TestPrefixLimiterAllocatesNothing(t *testing.T) {
	l := NewPrefixLimiter(100)
	one := join(l, "198.51.100.1", 0)
	now := mono.Instant(0)
	if n := testing.AllocsPerRun(1000, func() {
		if at := l.ReadyAt(one, now, 0); at > now {
			now = at
			return
		}
		sendOne(one, now)
	}); n != 0 {
		t.Errorf("%v allocations a probe", n)
	}
}

func BenchmarkPrefixLimiter(b *testing.B) {
	for name, rate := range map[string]float64{"lifted": 0, "limited": 1e9} {
		b.Run(name, func(b *testing.B) {
			l := NewPrefixLimiter(rate)
			one := join(l, "198.51.100.1", 0)
			now := mono.Instant(0)
			for b.Loop() {
				if l.ReadyAt(one, now, 0) <= now {
					sendOne(one, now)
				}
				now = now.Add(10 * time.Microsecond)
			}
		})
	}
}
