package quota

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hold takes the limiter's only trace and keeps it until the function is called.
func hold(t *testing.T, r *Limiter) func() {
	t.Helper()
	v := admit(t, r, Caller{"holder", "holder"})
	if err := v.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return v.Close
}

func single() Limits {
	l := open()
	l.Traces, l.Wait = 1, 7*time.Second
	return l
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLimiter(t, single())
		release := hold(t, r)
		v := admit(t, r, Caller{"one", "a"})
		started := time.Now()
		err := v.Wait(t.Context(), 1)
		if took := time.Since(started); reasonOf(t, err) != ErrQueueTimeout || took != 7*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		v.Close()
		release()
		if s := r.Stats(); s.Waits != 1 || s.Waited != 7*time.Second {
			t.Errorf("stats %+v", s)
		}
		r.empty(t)
	})
}

// TestGoneClient: who leaves is out of the queue at once, and gets nothing.
func TestGoneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLimiter(t, single())
		release := hold(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := admit(t, r, Caller{"one", "a"}), admit(t, r, Caller{"one", "a"})
		gone := make(chan error)
		go func() { gone <- first.Wait(ctx, 3) }()
		synctest.Wait()
		served := make(chan error)
		go func() { served <- second.Wait(t.Context(), 1) }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if s := r.Stats(); s.Waiting != 1 {
			t.Errorf("%d wait, want the other one", s.Waiting)
		}
		release()
		if err := <-served; err != nil {
			t.Error(err)
		}
		first.Close()
		if s := r.Stats(); s.Running != 1 {
			t.Errorf("%d traces run", s.Running)
		}
		second.Close()
		r.empty(t)
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLimiter(t, single())
		release := hold(t, r)
		waiting := admit(t, r, Caller{"one", "a"})
		served := make(chan error)
		go func() { served <- waiting.Wait(t.Context(), 1) }()
		reading := admit(t, r, Caller{"one", "a"})
		synctest.Wait()
		idle := r.Drain()
		if idle != r.Drain() || !r.Draining() {
			t.Error("draining twice is not draining once")
		}
		if _, _, err := r.Admit(Caller{"one", "a"}); reasonOf(t, err) != ErrShuttingDown {
			t.Errorf("who comes now gets %v", err)
		}
		release()
		if err := <-served; err != nil {
			t.Errorf("who waited gets %v", err)
		}
		waiting.Close()
		select {
		case <-idle:
			t.Error("idle with a request inside")
		default:
		}
		reading.Close()
		<-idle
		r.empty(t)
	})
	empty := newLimiter(t, open())
	<-empty.Drain()
}

// TestSetLimits: more lets those in that wait; less takes nothing away; and a
// bad one changes nothing.
func TestSetLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLimiter(t, single())
		v := admit(t, r, Caller{"one", "a"})
		if err := v.Wait(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		running := func(want int) {
			t.Helper()
			if s := r.Stats(); s.Running != want {
				t.Errorf("%d traces, want %d", s.Running, want)
			}
		}
		running(1)
		more, bad := open(), open()
		more.Traces, bad.Queue = 5, 0
		if err := r.SetLimits(more); err != nil {
			t.Fatal(err)
		}
		running(5)
		if err := r.SetLimits(bad); err == nil || err.Error() != "quota: queue 0 are not in 1 to 65536" {
			t.Errorf("error %v", err)
		}
		if err := r.SetLimits(single()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			v.End()
		}
		running(1)
		v.End()
		running(1) // the last of the six
		v.End()
		running(0)
		v.Close()
		r.empty(t)
	})
}

func TestCheck(t *testing.T) {
	tests := []struct {
		change func(*Limits)
		want   string
	}{
		{func(*Limits) {}, ""},
		{func(l *Limits) { l.Requests = 0; l.Window = 0 }, ""},
		{func(l *Limits) { l.Requests = MaxRequests + 1 }, "quota: requests 10001 are not in 0 to 10000"},
		{func(l *Limits) { l.Window = 1500 * time.Millisecond }, "quota: window 1.5s is not whole seconds from 1s to 1h0m0s"},
		{func(l *Limits) { l.Traces = -1 }, "quota: traces -1 are not in 0 to 1048576"},
		{func(l *Limits) { l.TracesPerToken = MaxTraces + 1 }, "quota: traces per token 1048577 are not in 0 to 1048576"},
		{func(l *Limits) { l.QueuePerAccount = 0 }, "quota: queue per account 0 are not in 1 to 65536"},
		{func(l *Limits) { l.Wait = 0 }, "quota: wait 0s is not above 0 and up to 20s"},
		{func(l *Limits) { l.Wait = time.Minute }, "quota: wait 1m0s is not above 0 and up to 20s"},
	}
	for _, tt := range tests {
		l := Default()
		tt.change(&l)
		got := ""
		if err := l.Check(); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestUnlimited: no limit applies, until it is closed. A zero Ticket is closed.
func TestUnlimited(t *testing.T) {
	ticket, zero := Unlimited(), new(Ticket)
	if ticket.Wait(t.Context(), 10) != nil || ticket.Begin(t.Context()) != nil || !ticket.TryBegin() {
		t.Error("refused")
	}
	ticket.End()
	moved := ticket.Transfer()
	for name, closed := range map[string]*Ticket{"zero": zero, "transferred": ticket, "transferred from zero": zero.Transfer()} {
		if !errors.Is(closed.Wait(t.Context(), 1), ErrClosed) || !errors.Is(closed.Begin(t.Context()), ErrClosed) || closed.TryBegin() {
			t.Errorf("%s: begins", name)
		}
		closed.End()
		closed.Close()
	}
	if !moved.TryBegin() {
		t.Error("transferred: refused")
	}
	moved.Close()
}

// TestTransfer: everything moves, nothing is released; closing the old ticket
// changes nothing.
func TestTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, single())
		release := hold(t, l)
		old := admit(t, l, Caller{"one", "a"})
		waited := make(chan error)
		go func() { waited <- old.Wait(t.Context(), 2) }()
		synctest.Wait()
		moved := old.Transfer()
		old.Close()
		release()
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if !moved.TryBegin() || moved.TryBegin() {
			t.Error("the limit is one trace")
		}
		begun := make(chan error)
		go func() { begun <- moved.Begin(t.Context()) }()
		synctest.Wait()
		old.End() // is closed
		synctest.Wait()
		if s := l.Stats(); s.Running != 1 || s.Admitted != 1 {
			t.Errorf("%+v", s)
		}
		moved.End()
		if err := <-begun; err != nil {
			t.Error(err)
		}
		go func() { begun <- moved.Begin(t.Context()) }()
		synctest.Wait()
		moved.Close()
		if err := <-begun; !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		l.empty(t)
	})
}

// TestNothingBeginsAfterAnError: also not what was granted at the same moment.
func TestNothingBeginsAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, single())
		release := hold(t, l)
		ticket := admit(t, l, Caller{"one", "a"})
		err := ticket.Wait(t.Context(), 1)
		if !errors.Is(err, ErrQueueTimeout) || errors.Is(err, ErrQueueFull) {
			t.Errorf("error %v", err)
		}
		release()
		if err := ticket.Begin(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
		ticket.End()
		ticket.Close()
		l.empty(t)
	})
}

// sound fails when the limiter's sums are not those of its requests, or over the
// limits.
func (l *Limiter) sound(t *rapid.T, limits Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running > limits.Traces || l.waiting > limits.Queue {
		t.Fatalf("%d traces, %d places, limits %+v", l.running, l.waiting, limits)
	}
	var inside, places, running int
	for name, a := range l.accounts {
		inside, places, running = inside+a.admitted, places+a.waiting, running+a.running
		if a.waiting > limits.QueuePerAccount || a.running < 0 || a.admitted < 1 {
			t.Fatalf("account %s: %+v, limits %+v", name, a, limits)
		}
		for _, v := range a.queue {
			if v.want < 1 || v.left {
				t.Fatalf("queue of %s has %+v", name, v)
			}
		}
	}
	tokens := 0
	for name, token := range l.tokens {
		tokens += token.running
		if token.running > limits.TracesPerToken {
			t.Fatalf("token %s: %d traces, limit %d", name, token.running, limits.TracesPerToken)
		}
	}
	if inside != l.admitted || places != l.waiting || running != l.running || tokens != l.running {
		t.Fatalf("sums %d %d %d %d, want %d %d %d", inside, places, running, tokens, l.admitted, l.waiting, l.running)
	}
}

// TestLimiterStaysSound: many callers who come, wait, trace and leave at random
// never exceed a limit, and leave nothing behind.
func TestLimiterStaysSound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := Limits{
			Traces: rapid.IntRange(1, 6).Draw(rt, "traces"), TracesPerToken: rapid.IntRange(1, 6).Draw(rt, "per token"),
			Queue: rapid.IntRange(1, 12).Draw(rt, "queue"), QueuePerAccount: rapid.IntRange(1, 12).Draw(rt, "per account"),
			Wait: time.Duration(rapid.IntRange(1, 5).Draw(rt, "wait")) * time.Second,
		}
		type guest struct {
			caller            Caller
			comes, takes      time.Duration
			patience, reading time.Duration
			traces            int
		}
		guests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) guest {
			span := func(label string, most time.Duration) time.Duration {
				return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, label))
			}
			name := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "account")
			return guest{
				Caller{name + rapid.SampledFrom([]string{"1", "2"}).Draw(t, "token"), name},
				span("comes", 3*time.Second), span("takes", 2*time.Second), span("patience", 8*time.Second), span("reading", time.Second),
				rapid.IntRange(1, 5).Draw(t, "traces"),
			}
		}), 1, 40).Draw(rt, "guests")
		synctest.Test(t, func(t *testing.T) {
			r := newLimiter(t, l)
			var wg sync.WaitGroup
			for _, g := range guests {
				wg.Go(func() {
					time.Sleep(g.comes)
					ctx, cancel := context.WithTimeout(t.Context(), g.patience)
					defer cancel()
					v, _, err := r.Admit(g.caller)
					r.sound(rt, l)
					if err != nil {
						return
					}
					defer v.Close()
					time.Sleep(g.reading)
					if v.Wait(ctx, g.traces) != nil {
						r.sound(rt, l)
						return
					}
					for range g.traces {
						wg.Go(func() {
							if v.Begin(ctx) != nil {
								return
							}
							time.Sleep(g.takes)
							v.End()
							r.sound(rt, l)
						})
					}
					time.Sleep(g.takes * 3)
				})
			}
			wg.Wait()
			r.empty(t)
		})
	})
}

func BenchmarkLimiter(b *testing.B) {
	r, err := New(Default())
	if err != nil {
		b.Fatal(err)
	}
	l := Default()
	l.Requests = 0
	if err := r.SetLimits(l); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		v, _, err := r.Admit(Caller{"one", "a"})
		if err != nil {
			b.Fatal(err)
		}
		if v.Wait(b.Context(), 1) != nil || v.Begin(b.Context()) != nil {
			b.Fatal("refused")
		}
		v.End()
		v.Close()
	}
}
