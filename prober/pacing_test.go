package prober

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPacerHoldsItsRate: whoever takes as often as the pacer allows, waking
// late each time, never exceeds the rate by more than the burst in any span,
// and reaches it.
func TestPacerHoldsItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(1, 200_000).Draw(t, "rate")
		burst := rapid.IntRange(1, 64).Draw(t, "burst")
		p := newPacer(rate, burst)
		allowed := float64(p.tolerance)/float64(p.interval) + 1
		var now instant
		var taken []instant
		for len(taken) < 500 {
			if at := p.opens(); at > now {
				now = at.add(time.Duration(rapid.Int64Range(0, int64(time.Millisecond)).Draw(t, "late")))
			}
			p.take(now)
			taken = append(taken, now)
		}
		for i := range taken {
			for j := i; j < len(taken); j += 7 {
				span := taken[j].since(taken[i]).Seconds()
				if n := float64(j - i + 1); n > allowed+span*float64(time.Second)/float64(p.interval)+1e-6 {
					t.Fatalf("%v events within %v s at rate %v, burst %v", n, span, rate, allowed)
				}
			}
		}
	})
}

func TestPacerReachesItsRate(t *testing.T) {
	for _, rate := range []float64{100, 10_000, 100_000} {
		p := newPacer(rate, 1)
		var now instant
		n := 0
		for now < instant(time.Second) {
			if at := p.opens(); at > now {
				now = max(at, now.add(time.Millisecond)) // timers are no finer
				continue
			}
			p.take(now)
			n++
		}
		if got := float64(n); got < rate*0.99 || got > rate*1.01+rate*pacerBurst.Seconds() {
			t.Errorf("rate %v: %v events in a second", rate, got)
		}
	}
}

func TestPacerWithoutLimit(t *testing.T) {
	p := newPacer(0, 1)
	for range 1000 {
		p.take(5)
	}
	if p.opens() > 0 {
		t.Error("a pacer without rate holds back")
	}
}

func TestNearGateIsPerEgressAndTTL(t *testing.T) {
	g := newNearGate(1)
	one, other := egress{source: netip.MustParseAddr("198.51.100.1")}, egress{source: netip.MustParseAddr("2001:db8::1")}
	pinned := egress{one.source, 2}
	for range nearBurst {
		if g.opens(1, one) > 0 {
			t.Fatal("burst is not granted")
		}
		g.take(1, one, 0)
	}
	if g.opens(1, one) <= 0 {
		t.Error("no limit at TTL 1")
	}
	if g.opens(1, other) > 0 || g.opens(1, pinned) > 0 || g.opens(2, one) > 0 || g.opens(nearHops+1, one) > 0 {
		t.Error("TTL 1 of one egress limits others")
	}
	for i := range 2 * maxEgresses {
		g.take(1, egress{source: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, 0)
	}
	if len(g.egresses) > maxEgresses {
		t.Errorf("%d egresses remembered, want at most %d", len(g.egresses), maxEgresses)
	}
}

func TestNearGateWithoutLimit(t *testing.T) {
	g := newNearGate(0)
	source := egress{source: netip.MustParseAddr("198.51.100.1")}
	for range 100 {
		g.take(1, source, 0)
	}
	if g.opens(1, source) > 0 {
		t.Error("a gate without rate holds back")
	}
}
