package lookup

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// addresses returns n addresses that follow one another.
func addresses(first, n int) []netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = address(first + i)
	}
	return list
}

// A dead name server costs its budget to whoever asks before that is known,
// and nothing to all others, however many addresses are wanted. It is tried at
// growing intervals, by nobody who waits.
func TestDeadServerCostsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{Attempts: 1}, w)
		defer s.Close()
		start := time.Now()
		if d := took(func() { s.Annotate(t.Context(), addresses(0, silentAfter)) }); d != DefaultBudget {
			t.Errorf("the first took %v, want the budget", d)
		}
		time.Sleep(DefaultTimeout - DefaultBudget)
		synctest.Wait()
		const tick, minutes = 100 * time.Millisecond, 3
		ticks := int(minutes * time.Minute / tick)
		for i := range ticks {
			if d := took(func() { s.Annotate(t.Context(), []netip.Addr{address(100 + i)}) }); d != 0 {
				t.Fatalf("%v after the first, one took %v", time.Since(start), d)
			}
			time.Sleep(tick)
		}
		var want, got []time.Duration // since start
		interval, at := minAside, DefaultTimeout
		for at < minutes*time.Minute {
			want = append(want, at)
			at += DefaultTimeout + interval
			interval = min(2*interval, maxAside)
		}
		times, _ := w.trials()
		for _, at := range times {
			got = append(got, at.Sub(start))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("trials (-want +got):\n%s", diff)
		}
		if n := w.asked() - len(got); n != silentAfter {
			t.Errorf("%d questions but for the trials, want %d", n, silentAfter)
		}
		stats := s.Stats()
		if diff := cmp.Diff(ServerStats{SetAside: 1, Outages: 1}, stats.Servers); diff != "" {
			t.Errorf("servers (-want +got):\n%s", diff)
		}
		if n := stats.Names.Unasked; n != uint64(ticks) {
			t.Errorf("%d lookups ended without a question, want %d", n, ticks)
		}
	})
}

// What waits for its turn when the server is set aside does not wait out one
// timeout after the other.
func TestDeadServerEmptiesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{}, w)
		defer s.Close()
		for i, addr := range addresses(0, DefaultConcurrency+DefaultQueue) {
			if i == DefaultConcurrency {
				synctest.Wait()
			}
			s.Prefetch(addr)
		}
		time.Sleep(DefaultTimeout)
		synctest.Wait()
		// Those that timed out before it was known may have asked once more.
		names := s.Stats().Names
		if names.Waiting != 0 || names.Flying >= silentAfter {
			t.Errorf("%d waiting and %d under way", names.Waiting, names.Flying)
		}
		time.Sleep(DefaultTimeout)
		synctest.Wait()
		names = s.Stats().Names
		if asked := names.Timeouts; asked+names.Unasked != DefaultConcurrency+DefaultQueue || asked >= DefaultConcurrency+silentAfter {
			t.Errorf("%d timeouts, %d not asked", asked, names.Unasked)
		}
	})
}

// The first answer brings a server back: for addresses too that were wanted
// while it was away. When it dies again, all is as the first time.
func TestServerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example.")}
		s := newWired(t, Config{}, w)
		defer s.Close()
		for round := range 2 {
			w.setDead(true, firstServer)
			first := 1000 * round
			s.Annotate(t.Context(), addresses(first, silentAfter))
			time.Sleep(DefaultTimeout)
			wanted := addresses(first+10, 1)
			for range 100 { // trials are seconds apart by now
				s.Annotate(t.Context(), wanted)
				time.Sleep(minAside / 10)
			}
			w.setDead(false, firstServer)
			before, _ := w.trials()
			for range int(maxAside / minAside) {
				s.Annotate(t.Context(), wanted) // makes the trial when it is due
				time.Sleep(w.delay)
				synctest.Wait()
				if after, _ := w.trials(); len(after) > len(before) {
					break
				}
				time.Sleep(minAside)
			}
			if got := s.Stats().Servers.SetAside; got != 0 {
				t.Fatalf("round %d: still set aside", round)
			}
			var notes map[netip.Addr]Annotation
			d := took(func() { notes = s.Annotate(t.Context(), wanted) })
			if d != w.delay || notes[wanted[0]].Name != "right.example" {
				t.Errorf("round %d: %v after %v", round, notes, d)
			}
			if got := s.Stats().Servers.Outages; got != uint64(round+1) {
				t.Errorf("round %d: %d outages", round, got)
			}
		}
	})
}

// With several servers the living ones are asked, and the dead ones are tried
// beside them. One that has come back is there when the other dies.
func TestOneOfTwoServersDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example."), dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{Servers: []netip.AddrPort{firstServer, secondServer}, Budget: time.Minute}, w)
		defer s.Close()
		next := 0
		annotate := func(n int) time.Duration {
			t.Helper()
			addrs := addresses(next, n)
			next += n
			return took(func() {
				if notes := s.Annotate(t.Context(), addrs); len(notes) != n {
					t.Errorf("%d names, want %d", len(notes), n)
				}
			})
		}
		if d := annotate(silentAfter); d != DefaultTimeout+w.delay {
			t.Errorf("with a dead server first it took %v", d)
		}
		w.setDead(false, firstServer)
		time.Sleep(DefaultTimeout + minAside) // the first trial was too early
		annotate(1)
		synctest.Wait()
		if diff := cmp.Diff(ServerStats{Outages: 1}, s.Stats().Servers); diff != "" {
			t.Errorf("servers (-want +got):\n%s", diff)
		}
		if _, servers := w.trials(); !slices.Equal(servers, []netip.AddrPort{firstServer, firstServer}) {
			t.Errorf("trials of %v", servers)
		}
		w.setDead(true, secondServer)
		if d := annotate(silentAfter); d != DefaultTimeout+w.delay {
			t.Errorf("with the other one dead it took %v", d)
		}
	})
}

// Other servers are asked at once, and the old ones forgotten.
func TestSilentServerReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{edit: ptr(3600, "right.example."), dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{}, w)
		defer s.Close()
		s.Annotate(t.Context(), addresses(0, silentAfter))
		time.Sleep(DefaultTimeout)
		s.UseServers([]netip.AddrPort{secondServer})
		if notes := s.Annotate(t.Context(), addresses(10, 2)); len(notes) != 2 {
			t.Errorf("annotations %v", notes)
		}
		if diff := cmp.Diff(ServerStats{Outages: 1}, s.Stats().Servers); diff != "" {
			t.Errorf("servers (-want +got):\n%s", diff)
		}
	})
}

// Close ends a trial that is under way.
func TestCloseEndsTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{Attempts: 1}, w)
		s.Annotate(t.Context(), addresses(0, silentAfter))
		time.Sleep(DefaultTimeout)
		synctest.Wait()
		w.mu.Lock()
		flying := w.flying
		w.mu.Unlock()
		if flying != 1 {
			t.Errorf("%d questions under way, want the trial", flying)
		}
		if d := took(s.Close); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}
