package lookup

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+uint32(i))))
}

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

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

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

// Answers, and that there are none, are kept as long as the name server says,
// within bounds.
func TestTTL(t *testing.T) {
	const second = time.Second
	alias := func(m *dnsmessage.Message) {
		owner := m.Questions[0].Name.String()
		m.Answers = []dnsmessage.Resource{
			resource(owner, dnsmessage.TypeCNAME, 200, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.arpa.")}),
			resource("x.arpa.", dnsmessage.TypePTR, 300, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("right.example.")}),
		}
	}
	for _, tt := range []struct {
		name string
		edit func(*dnsmessage.Message)
		want time.Duration
	}{
		{"as told", ptr(300, "a.example."), 300 * second},
		{"floor", ptr(1, "a.example."), MinTTL},
		{"zero", ptr(0, "a.example."), MinTTL},
		{"ceiling", ptr(1<<31-1, "a.example."), MaxTTL},
		{"negative", ptr(1<<31, "a.example."), MinTTL},
		{"shortest of the chain", alias, 200 * second},
		{"NXDOMAIN by SOA minimum", none(dnsmessage.RCodeNameError, 900, 120), 120 * second},
		{"NXDOMAIN by SOA TTL", none(dnsmessage.RCodeNameError, 120, 900), 120 * second},
		{"NXDOMAIN ceiling", none(dnsmessage.RCodeNameError, 1e6, 1e6), MaxNegativeTTL},
		{"NXDOMAIN floor", none(dnsmessage.RCodeNameError, 5, 5), MinTTL},
		{"NXDOMAIN without SOA", rcode(dnsmessage.RCodeNameError), MinTTL},
		{"NODATA", none(dnsmessage.RCodeSuccess, 900, 120), 120 * second},
		{"NODATA without SOA", rcode(dnsmessage.RCodeSuccess), MinTTL},
		{"hostile name", ptr(300, "a b."), 300 * second},
		{"hostile name for ever", ptr(1e6, "a b."), MaxNegativeTTL},
		{"SERVFAIL", rcode(dnsmessage.RCodeServerFailure), FailureTTL},
		{"silence", nil, FailureTTL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{edit: tt.edit, dead: map[netip.AddrPort]bool{firstServer: tt.edit == nil}}
				s := newWired(t, Config{Attempts: 1, Budget: time.Minute}, w)
				defer s.Close()
				ask := func() int {
					s.Annotate(t.Context(), []netip.Addr{address(0)})
					return w.asked()
				}
				ask()
				time.Sleep(tt.want - time.Millisecond)
				if got := ask(); got != 1 {
					t.Errorf("%d queries before %v, want 1", got, tt.want)
				}
				time.Sleep(time.Millisecond)
				if got := ask(); got != 2 {
					t.Errorf("%d queries after %v, want 2", got, tt.want)
				}
			})
		})
	}
}

func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newWired(t, Config{Names: Off}, w)
		defer s.Close()
		s.Prefetch(address(0))
		if notes := s.Annotate(t.Context(), []netip.Addr{address(0)}); len(notes) != 0 {
			t.Errorf("annotations %v", notes)
		}
		if w.asked() != 0 {
			t.Error("asked for a name")
		}
		if diff := cmp.Diff(Stats{}, s.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{Names: 9}, "lookup: mode 9 is no way to find names"},
		{Config{Servers: make([]netip.AddrPort, 1)}, "lookup: name server invalid AddrPort: not an address with a port"},
		{Config{Servers: []netip.AddrPort{netip.AddrPortFrom(address(0), 0)}}, "lookup: name server 10.0.0.0:0: not an address with a port"},
		{Config{OriginZones: OriginZones{IPv4: "a b"}}, `lookup: origin zone: "a b" is not a DNS name of up to 180 characters`},
		{Config{OriginZones: OriginZones{IPv6: strings.Repeat("a.", 90) + "a"}}, `lookup: origin zone: "` + strings.Repeat("a.", 90) + `a" is not a DNS name of up to 180 characters`},
		{Config{Budget: -1, Queue: -1}, "lookup: budget is below 0\nlookup: queue is below 0"},
		{Config{Tables: []string{"testdata/absent.tsv"}}, "lookup: open testdata/absent.tsv: no such file or directory"},
	} {
		s, err := New(t.Context(), tt.config)
		if err == nil {
			s.Close()
			t.Errorf("%+v: no error", tt.config)
		} else if err.Error() != tt.want {
			t.Errorf("error %q, want %q", err, tt.want)
		}
	}
}
