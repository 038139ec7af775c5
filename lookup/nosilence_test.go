package lookup

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// Addresses whose own name servers are silent say nothing of ours.
func TestSlowAddresses(t *testing.T) {
	mute := make(map[string]bool)
	slow, quick := addresses(0, 20), addresses(100, 20)
	for _, addr := range slow {
		mute[reverseName(addr)] = true
	}
	t.Run("among others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example."), mute: mute}
			s := newWired(t, Config{Attempts: 1}, w)
			defer s.Close()
			for i := range slow {
				s.Prefetch(slow[i])
				time.Sleep(DefaultTimeout / 10)
				if notes := s.Annotate(t.Context(), quick[i:i+1]); len(notes) != 1 {
					t.Errorf("%d: %v", i, notes)
				}
			}
			time.Sleep(DefaultTimeout)
			synctest.Wait()
			stats := s.Stats()
			if stats.Servers != (ServerStats{}) || stats.Names.Timeouts != uint64(len(slow)) {
				t.Errorf("stats %+v", stats)
			}
		})
	})
	// All of them time out in a row, but something was heard after they were asked for.
	t.Run("before another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example."), mute: mute}
			s := newWired(t, Config{Attempts: 1}, w)
			defer s.Close()
			for _, addr := range slow {
				s.Prefetch(addr)
			}
			synctest.Wait()
			s.Annotate(t.Context(), quick[:1])
			time.Sleep(DefaultTimeout)
			synctest.Wait()
			stats := s.Stats()
			if stats.Servers != (ServerStats{}) || stats.Names.Timeouts != uint64(len(slow)) {
				t.Errorf("stats %+v", stats)
			}
		})
	})
	// The trial, which is not about them, is answered at once.
	t.Run("alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example."), mute: mute}
			s := newWired(t, Config{Attempts: 1}, w)
			defer s.Close()
			s.Annotate(t.Context(), slow)
			time.Sleep(DefaultTimeout - DefaultBudget + w.delay)
			synctest.Wait()
			if notes := s.Annotate(t.Context(), quick); len(notes) != len(quick) {
				t.Errorf("%d names, want %d", len(notes), len(quick))
			}
			if diff := cmp.Diff(ServerStats{Outages: 1}, s.Stats().Servers); diff != "" {
				t.Errorf("servers (-want +got):\n%s", diff)
			}
		})
	})
}

// Answers begin the count anew: also the one that brings a server back.
func TestUnansweredInARow(t *testing.T) {
	s, start := newSilences(), time.Unix(0, 0)
	lose := func(n int) (trials int) {
		for range n {
			if s.unanswered(firstServer, time.Now()) {
				trials++
			}
		}
		return trials
	}
	for range 3 {
		if lose(silentAfter-1) != 0 || s.unanswered(secondServer, time.Now()) {
			t.Fatal("set aside too early")
		}
		s.answered(firstServer)
		s.answered(secondServer)
		if s.unanswered(firstServer, start) {
			t.Error("set aside for what was asked long before")
		}
	}
	if lose(2*silentAfter) != 1 {
		t.Error("not set aside, or more than once")
	}
	s.answered(firstServer)
	s.tried(firstServer)
	if ask, trial := s.mayAsk(firstServer); !ask || trial || lose(silentAfter-1) != 0 {
		t.Error("not as at the start after it came back")
	}
}

// What a firewall does to TCP says nothing of a server that answers over UDP.
func TestSilenceOverTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{noTCP: true, edit: func(m *dnsmessage.Message) { m.Truncated = true }}
		s := newWired(t, Config{Attempts: 1}, w)
		defer s.Close()
		s.Annotate(t.Context(), addresses(0, 3*silentAfter))
		time.Sleep(DefaultTimeout)
		synctest.Wait()
		stats := s.Stats()
		if stats.Servers != (ServerStats{}) || stats.Names.Timeouts != 3*silentAfter {
			t.Errorf("stats %+v", stats)
		}
	})
}

// A lookup that Close cuts short was not left unanswered.
func TestCloseIsNoSilence(t *testing.T) {
	asked := make(chan struct{}, silentAfter)
	server := startNameServer(t, func(string, dnsmessage.Message) [][]byte {
		asked <- struct{}{}
		return nil
	})
	s := newTestService(t, patient(server.addr))
	for _, addr := range addresses(0, silentAfter) {
		s.Prefetch(addr)
	}
	for range silentAfter {
		<-asked
	}
	s.Close()
	if stats := s.Stats(); stats.Servers != (ServerStats{}) {
		t.Errorf("stats %+v", stats)
	}
}

// A question that could not be sent, or that the host refused, is no silence.
func TestRefusalIsNoSilence(t *testing.T) {
	closed := startNameServer(t, nil)
	closed.stop() // the kernel says so
	s := newTestService(t, patient(closed.addr))
	s.Annotate(t.Context(), addresses(0, 3*silentAfter))
	stats := s.Stats()
	if stats.Servers != (ServerStats{}) || stats.Names.Failed != 3*silentAfter {
		t.Errorf("stats %+v", stats)
	}
}
