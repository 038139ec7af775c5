package lookup

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// The name servers die in mid-run: cached names stay, new ones stay away, and
// no trace waits longer than its budget.
func TestNameServersDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example."), dead: map[netip.AddrPort]bool{}}
		s := newWired(t, Config{Servers: []netip.AddrPort{firstServer, secondServer}}, w)
		defer s.Close()
		before, after := address(0), address(1)
		s.Annotate(t.Context(), []netip.Addr{before})
		w.mu.Lock()
		w.dead[firstServer], w.dead[secondServer] = true, true
		w.mu.Unlock()
		var notes map[netip.Addr]Annotation
		if d := took(func() { notes = s.Annotate(t.Context(), []netip.Addr{before, after}) }); d != DefaultBudget {
			t.Errorf("took %v, want the budget", d)
		}
		if diff := cmp.Diff(map[netip.Addr]Annotation{before: {Name: "right.example"}}, notes, compareAddrs); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
		// Two attempts at two servers; then that is known for a while.
		time.Sleep(DefaultAttempts * 2 * DefaultTimeout)
		if d := took(func() { s.Annotate(t.Context(), []netip.Addr{after}) }); d != 0 {
			t.Errorf("a failure that is known took %v", d)
		}
		want := []netip.AddrPort{firstServer, firstServer, secondServer, firstServer, secondServer}
		if diff := cmp.Diff(want, w.servers, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("servers asked (-want +got):\n%s", diff)
		}
		if got := s.Stats().Names.Timeouts; got != 1 {
			t.Errorf("%d timeouts, want 1", got)
		}
		// Back again: after the pause the name is there.
		w.mu.Lock()
		clear(w.dead)
		w.mu.Unlock()
		time.Sleep(FailureTTL)
		if notes := s.Annotate(t.Context(), []netip.Addr{after}); notes[after].Name != "right.example" {
			t.Errorf("after the name servers came back: %v", notes)
		}
	})
}

// A dead server at the head of the list costs its timeout once, and one that
// refuses is not asked again by the same lookup.
func TestServerOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{delay: time.Millisecond, edit: ptr(3600, "right.example."), dead: map[netip.AddrPort]bool{firstServer: true}}
		s := newWired(t, Config{Servers: []netip.AddrPort{firstServer, secondServer}, Budget: time.Minute}, w)
		defer s.Close()
		for i, want := range []time.Duration{DefaultTimeout + w.delay, w.delay, w.delay} {
			if d := took(func() { s.Annotate(t.Context(), []netip.Addr{address(i)}) }); d != want {
				t.Errorf("lookup %d took %v, want %v", i, d, want)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := &wire{edit: rcode(dnsmessage.RCodeServerFailure), dead: map[netip.AddrPort]bool{secondServer: true}}
		s := newWired(t, Config{Servers: []netip.AddrPort{firstServer, secondServer}, Budget: time.Minute}, w)
		defer s.Close()
		s.Annotate(t.Context(), []netip.Addr{address(0)})
		want := []netip.AddrPort{firstServer, secondServer, secondServer}
		if !slices.Equal(w.servers, want) {
			t.Errorf("asked %v, want %v", w.servers, want)
		}
		if got := s.Stats().Names.Failed; got != 1 {
			t.Errorf("%d failed, want 1", got)
		}
	})
}

// A server that is of no use costs one look at it; then the next is asked, and
// stays the first to be asked.
func TestNextServer(t *testing.T) {
	closed := startNameServer(t, nil)
	closed.stop() // the kernel says so
	useless := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		return [][]byte{respond(q, rcode(dnsmessage.RCodeServerFailure))}
	})
	useful := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		return [][]byte{respond(q, ptr(60, "right.example."))}
	})
	s := newTestService(t, patient(closed.addr, useless.addr, useful.addr))
	for i := range 5 {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		if got := s.Annotate(t.Context(), []netip.Addr{addr})[addr].Name; got != "right.example" {
			t.Errorf("%v is named %q", addr, got)
		}
	}
	if got := useless.queries.Load(); got != 1 {
		t.Errorf("the useless server was asked %d times, want once", got)
	}
	if got := useful.queries.Load(); got != 5 {
		t.Errorf("the useful server was asked %d times, want 5", got)
	}
}

// No name server is asked for this host's own addresses: none can know, and
// the question need not leave the host.
func TestLoopbackIsNotAsked(t *testing.T) {
	server := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		t.Errorf("asked for %v", q.Questions[0].Name)
		return nil
	})
	s := newTestService(t, patient(server.addr))
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.9.8.7"), netip.IPv6Loopback()}
	if notes := s.Annotate(t.Context(), addrs); len(notes) != 0 {
		t.Errorf("loopback is called %v", notes)
	}
}
