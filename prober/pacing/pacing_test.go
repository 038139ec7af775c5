package pacing

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/prober/mono"
)

// TestPacerHoldsItsRate: whoever takes as often as the pacer allows, waking
// late each time, never exceeds the rate by more than the burst in any span,
// and reaches it.
func TestPacerHoldsItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(1, 200_000).Draw(t, "rate")
		burst := rapid.IntRange(1, 64).Draw(t, "burst")
		p := NewPacer(rate, burst)
		allowed := float64(p.tolerance)/float64(p.interval) + 1
		var now mono.Instant
		var taken []mono.Instant
		for len(taken) < 500 {
			if at := p.ReadyAt(); at > now {
				now = at.Add(time.Duration(rapid.Int64Range(0, int64(time.Millisecond)).Draw(t, "late")))
			}
			p.Take(now)
			taken = append(taken, now)
		}
		for i := range taken {
			for j := i; j < len(taken); j += 7 {
				span := taken[j].Since(taken[i]).Seconds()
				if n := float64(j - i + 1); n > allowed+span*float64(time.Second)/float64(p.interval)+1e-6 {
					t.Fatalf("%v events within %v s at rate %v, burst %v", n, span, rate, allowed)
				}
			}
		}
	})
}

func TestPacerReachesItsRate(t *testing.T) {
	for _, rate := range []float64{100, 10_000, 100_000} {
		p := NewPacer(rate, 1)
		var now mono.Instant
		n := 0
		for now < mono.Instant(time.Second) {
			if at := p.ReadyAt(); at > now {
				now = max(at, now.Add(time.Millisecond)) // timers are no finer
				continue
			}
			p.Take(now)
			n++
		}
		if got := float64(n); got < rate*0.99 || got > rate*1.01+rate*pacerBurst.Seconds() {
			t.Errorf("rate %v: %v events in a second", rate, got)
		}
	}
}

func TestPacerWithoutLimit(t *testing.T) {
	p := NewPacer(0, 1)
	for range 1000 {
		p.Take(5)
	}
	if p.ReadyAt() > 0 {
		t.Error("a pacer without rate holds back")
	}
}

func TestHopLimiterIsPerEgressAndTTL(t *testing.T) {
	l := NewHopLimiter(1)
	one, other := Egress{Source: netip.MustParseAddr("198.51.100.1")}, Egress{Source: netip.MustParseAddr("2001:db8::1")}
	pinned := Egress{one.Source, 2}
	for range hopBurst {
		if l.ReadyAt(1, one) > 0 {
			t.Fatal("burst is not granted")
		}
		l.Take(1, one, 0)
	}
	if l.ReadyAt(1, one) <= 0 {
		t.Error("no limit at TTL 1")
	}
	if l.ReadyAt(1, other) > 0 || l.ReadyAt(1, pinned) > 0 || l.ReadyAt(2, one) > 0 || l.ReadyAt(nearHops+1, one) > 0 {
		t.Error("TTL 1 of one egress limits others")
	}
	for i := range 2 * maxEgresses {
		l.Take(1, Egress{Source: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, 0)
	}
	if len(l.egresses) > maxEgresses {
		t.Errorf("%d egresses remembered, want at most %d", len(l.egresses), maxEgresses)
	}
}

func TestHopLimiterWithoutLimit(t *testing.T) {
	l := NewHopLimiter(0)
	source := Egress{Source: netip.MustParseAddr("198.51.100.1")}
	for range 100 {
		l.Take(1, source, 0)
	}
	if l.ReadyAt(1, source) > 0 {
		t.Error("a limiter without rate holds back")
	}
}
