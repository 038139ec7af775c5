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

// hold takes the room's only trace and keeps it until the function is called.
func hold(t *testing.T, r *Room) func() {
	t.Helper()
	v := enter(t, r, Caller{"holder", "holder"})
	if err := v.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return v.Leave
}

func single() Limits {
	l := open()
	l.Traces, l.Wait = 1, 7*time.Second
	return l
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, single())
		release := hold(t, r)
		v := enter(t, r, Caller{"one", "a"})
		started := time.Now()
		err := v.Await(t.Context(), 1)
		if took := time.Since(started); reasonOf(t, err) != Late || took != 7*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		v.Leave()
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
		r := newRoom(t, single())
		release := hold(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := enter(t, r, Caller{"one", "a"}), enter(t, r, Caller{"one", "a"})
		gone := make(chan error)
		go func() { gone <- first.Await(ctx, 3) }()
		synctest.Wait()
		served := make(chan error)
		go func() { served <- second.Await(t.Context(), 1) }()
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
		first.Leave()
		if s := r.Stats(); s.Running != 1 {
			t.Errorf("%d traces run", s.Running)
		}
		second.Leave()
		r.empty(t)
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, single())
		release := hold(t, r)
		waiting := enter(t, r, Caller{"one", "a"})
		served := make(chan error)
		go func() { served <- waiting.Await(t.Context(), 1) }()
		reading := enter(t, r, Caller{"one", "a"})
		synctest.Wait()
		idle := r.Drain()
		if idle != r.Drain() || !r.Draining() {
			t.Error("draining twice is not draining once")
		}
		if _, _, err := r.Enter(Caller{"one", "a"}); reasonOf(t, err) != Closing {
			t.Errorf("who comes now gets %v", err)
		}
		release()
		if err := <-served; err != nil {
			t.Errorf("who waited gets %v", err)
		}
		waiting.Leave()
		select {
		case <-idle:
			t.Error("idle with a request inside")
		default:
		}
		reading.Leave()
		<-idle
		r.empty(t)
	})
	empty := newRoom(t, open())
	<-empty.Drain()
}

// TestSetLimits: more lets those in that wait; less takes nothing away; and a
// bad one changes nothing.
func TestSetLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, single())
		v := enter(t, r, Caller{"one", "a"})
		if err := v.Await(t.Context(), 6); err != nil {
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
		v.Leave()
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

// TestNilVisit: what no room admits is not limited.
func TestNilVisit(t *testing.T) {
	var v *Visit
	if v.Await(t.Context(), 10) != nil || v.Begin(t.Context()) != nil {
		t.Error("refused")
	}
	v.End()
	v.Leave()
}

// sound fails when the room's sums are not those of its visits, or over the
// limits.
func (r *Room) sound(t *rapid.T, l Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running > l.Traces || r.places > l.Queue {
		t.Fatalf("%d traces, %d places, limits %+v", r.running, r.places, l)
	}
	var inside, places, running int
	for name, a := range r.accounts {
		inside, places, running = inside+a.inside, places+a.places, running+a.running
		if a.places > l.QueuePerAccount || a.running < 0 || a.inside < 1 {
			t.Fatalf("account %s: %+v, limits %+v", name, a, l)
		}
		for _, v := range a.queue {
			if v.want < 1 || v.left {
				t.Fatalf("queue of %s has %+v", name, v)
			}
		}
	}
	tokens := 0
	for name, token := range r.tokens {
		tokens += token.running
		if token.running > l.TracesPerToken {
			t.Fatalf("token %s: %d traces, limit %d", name, token.running, l.TracesPerToken)
		}
	}
	if inside != r.inside || places != r.places || running != r.running || tokens != r.running {
		t.Fatalf("sums %d %d %d %d, want %d %d %d", inside, places, running, tokens, r.inside, r.places, r.running)
	}
}

// TestRoomStaysSound: many callers who come, wait, trace and leave at random
// never exceed a limit, and leave nothing behind.
func TestRoomStaysSound(t *testing.T) {
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
			r := newRoom(t, l)
			var wg sync.WaitGroup
			for _, g := range guests {
				wg.Go(func() {
					time.Sleep(g.comes)
					ctx, cancel := context.WithTimeout(t.Context(), g.patience)
					defer cancel()
					v, _, err := r.Enter(g.caller)
					r.sound(rt, l)
					if err != nil {
						return
					}
					defer v.Leave()
					time.Sleep(g.reading)
					if v.Await(ctx, g.traces) != nil {
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

func BenchmarkRoom(b *testing.B) {
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
		v, _, err := r.Enter(Caller{"one", "a"})
		if err != nil {
			b.Fatal(err)
		}
		if v.Await(b.Context(), 1) != nil || v.Begin(b.Context()) != nil {
			b.Fatal("refused")
		}
		v.End()
		v.Leave()
	}
}
