package lookup

import (
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// However many want a name at once, it is asked for once.
func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: 100 * time.Millisecond, edit: ptr(60, "right.example.")}
		s := newWired(t, Config{}, w)
		defer s.Close()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				notes := s.Annotate(t.Context(), []netip.Addr{address(0), address(1), address(0)})
				if notes[address(0)].Name != "right.example" || notes[address(1)].Name != "right.example" {
					t.Errorf("annotations %v", notes)
				}
			})
		}
		all.Wait()
		if w.asked() != 2 {
			t.Errorf("%d queries for two addresses", w.asked())
		}
	})
}

// An answer that lands between two looks for it is not asked for again.
func TestSingleFlightLanding(t *testing.T) {
	w := &wire{edit: ptr(3600, "right.example.")}
	s := newWired(t, Config{Budget: time.Minute}, w)
	defer s.Close()
	s.Annotate(t.Context(), []netip.Addr{address(0)}) // lands before join
	if a, f, known := s.names.join(address(0)); a.value != "right.example" || f != nil || !known {
		t.Errorf("answer %+v, flight %v", a, f)
	}
	if w.asked() != 1 {
		t.Errorf("%d queries, want 1", w.asked())
	}
}

// Lookups under way and waiting are bounded, what is more is dropped and
// counted, and Close ends it all at once.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{}, w)
		const total = DefaultConcurrency + DefaultQueue + 10
		for i := range DefaultConcurrency {
			s.Prefetch(address(i))
		}
		synctest.Wait()
		for i := DefaultConcurrency; i < total; i++ {
			s.Prefetch(address(i))
		}
		synctest.Wait()
		want := SourceStats{Flying: DefaultConcurrency, Waiting: DefaultQueue, Dropped: 10}
		if diff := cmp.Diff(want, s.Stats().Names); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		if w.highest != DefaultConcurrency {
			t.Errorf("%d queries at one time, want %d", w.highest, DefaultConcurrency)
		}
		// Whoever waits is not held up by Close, whether the lookup is under
		// way, waiting, or dropped.
		waiter := make(chan time.Duration)
		go func() {
			waiter <- took(func() {
				s.Annotate(t.Context(), []netip.Addr{address(0), address(total - 20), address(total - 1)})
			})
		}()
		synctest.Wait()
		if d := took(s.Close); d != 0 {
			t.Errorf("Close took %v", d)
		}
		if d := <-waiter; d != 0 {
			t.Errorf("Annotate took %v across Close", d)
		}
		if got := s.Stats().Names.Entries; got != 0 {
			t.Errorf("%d lookups that Close cut short are remembered as answered", got)
		}
		asked := w.asked()
		s.Prefetch(address(total))
		if notes := s.Annotate(t.Context(), []netip.Addr{address(0)}); len(notes) != 0 {
			t.Errorf("after Close: %v", notes)
		}
		synctest.Wait()
		if w.asked() != asked {
			t.Error("a closed service asked")
		}
		s.Close() // once more does no harm
	})
}

// A worker that is done takes the next that waits.
func TestQueueDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: 10 * time.Millisecond, edit: ptr(60, "right.example.")}
		s := newWired(t, Config{Concurrency: 4, Queue: 100, Budget: time.Minute}, w)
		defer s.Close()
		addrs := make([]netip.Addr, 40)
		for i := range addrs {
			addrs[i] = address(i)
		}
		var notes map[netip.Addr]Annotation
		if d := took(func() { notes = s.Annotate(t.Context(), addrs) }); d != 100*time.Millisecond {
			t.Errorf("took %v, want 10 rounds of 10ms", d)
		}
		if len(notes) != len(addrs) || w.highest != 4 {
			t.Errorf("%d names, %d queries at one time", len(notes), w.highest)
		}
	})
}
