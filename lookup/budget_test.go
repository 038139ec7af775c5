package lookup

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+uint32(i))))
}

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// Annotate comes back with what there is when its budget is used up; what
// comes later is there for the next.
func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		name   string
		budget time.Duration // of the Config
		ctx    time.Duration // 0: no end
		delay  time.Duration
		want   time.Duration
		named  bool
	}{
		{name: "answer in time", delay: 120 * time.Millisecond, want: 120 * time.Millisecond, named: true},
		{name: "answer late", delay: 400 * time.Millisecond, want: 300 * time.Millisecond},
		{name: "own budget", budget: 50 * time.Millisecond, delay: 400 * time.Millisecond, want: 50 * time.Millisecond},
		{name: "context ends first", ctx: 20 * time.Millisecond, delay: 400 * time.Millisecond, want: 20 * time.Millisecond},
		{name: "context has ended", ctx: -1, delay: 400 * time.Millisecond, want: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{delay: tt.delay, edit: ptr(60, "right.example.")}
				s := newWired(t, Config{Budget: tt.budget}, w)
				defer s.Close()
				ctx := t.Context()
				if tt.ctx != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
					defer cancel()
				}
				addrs := []netip.Addr{address(0), address(1), address(2), {}}
				named := make(map[netip.Addr]Annotation)
				for _, addr := range addrs[:3] {
					named[addr] = Annotation{Name: "right.example"}
				}
				var notes map[netip.Addr]Annotation
				if d := took(func() { notes = s.Annotate(ctx, addrs) }); d != tt.want {
					t.Errorf("took %v, want %v", d, tt.want)
				}
				want := map[netip.Addr]Annotation{}
				if tt.named {
					want = named
				}
				if diff := cmp.Diff(want, notes, compareAddrs); diff != "" {
					t.Errorf("annotations (-want +got):\n%s", diff)
				}
				time.Sleep(tt.delay + time.Millisecond)
				if d := took(func() { notes = s.Annotate(t.Context(), addrs) }); d != 0 {
					t.Errorf("from the cache it took %v", d)
				}
				if diff := cmp.Diff(named, notes, compareAddrs); diff != "" {
					t.Errorf("annotations from the cache (-want +got):\n%s", diff)
				}
				if w.asked() != 3 {
					t.Errorf("%d queries, want 3", w.asked())
				}
				counts := s.Stats().Names
				wantCounts := SourceStats{Hits: 3, Misses: 3, Found: 3, Entries: 3}
				if !tt.named {
					wantCounts.Late = 3
				}
				if diff := cmp.Diff(wantCounts, counts); diff != "" {
					t.Errorf("stats (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What was prefetched long enough ago costs no time at all.
func TestPrefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: 100 * time.Millisecond, edit: ptr(60, "right.example.")}
		s := newWired(t, Config{}, w)
		defer s.Close()
		if d := took(func() {
			for range 10 {
				s.Prefetch(address(0))
			}
			s.Prefetch(netip.Addr{})
		}); d != 0 {
			t.Errorf("Prefetch took %v", d)
		}
		time.Sleep(70 * time.Millisecond)
		var notes map[netip.Addr]Annotation
		if d := took(func() { notes = s.Annotate(t.Context(), []netip.Addr{address(0)}) }); d != 30*time.Millisecond {
			t.Errorf("the rest of the lookup took %v, want 30ms", d)
		}
		if notes[address(0)].Name != "right.example" {
			t.Errorf("annotations %v", notes)
		}
		if w.asked() != 1 {
			t.Errorf("%d queries, want 1", w.asked())
		}
	})
}
