package quota

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// busy asks as a caller in a number of loops until ctx ends, each trace taking
// its time, and returns how many traces it made.
func busy(ctx context.Context, r *Limiter, c Caller, loops, traces int, takes time.Duration) func() int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range loops {
		wg.Go(func() {
			for ctx.Err() == nil {
				v, _, err := r.Admit(c)
				if err != nil {
					time.Sleep(50 * time.Millisecond) // as a client that retries
					continue
				}
				if v.Wait(ctx, traces) == nil {
					var all sync.WaitGroup
					for range traces {
						all.Go(func() {
							if v.Begin(ctx) != nil {
								return
							}
							defer v.End()
							time.Sleep(takes)
							mu.Lock()
							made++
							mu.Unlock()
						})
					}
					all.Wait()
				}
				v.Close()
			}
		})
	}
	return func() int { wg.Wait(); return made }
}

// TestEqualShares: two accounts that ask without end have equal shares of the
// traces, whatever the number of their loops, tokens and targets; and of the
// time, when one's traces take longer.
func TestEqualShares(t *testing.T) {
	type side struct {
		loops, traces int
		takes         time.Duration
	}
	tests := []struct {
		name   string
		limit  int
		queue  int
		one    side
		other  side
		shares float64 // other's traces to one's
	}{
		{"loops", 4, 100, side{5, 1, 100 * time.Millisecond}, side{200, 1, 100 * time.Millisecond}, 1},
		{"one place", 1, 100, side{2, 1, 100 * time.Millisecond}, side{20, 1, 100 * time.Millisecond}, 1},
		{"odd places", 3, 100, side{5, 1, 100 * time.Millisecond}, side{20, 1, 100 * time.Millisecond}, 1},
		{"targets", 4, 100, side{10, 1, 100 * time.Millisecond}, side{10, 10, 100 * time.Millisecond}, 1},
		{"short queue", 4, 6, side{5, 1, 100 * time.Millisecond}, side{300, 1, 100 * time.Millisecond}, 1},
		{"long traces", 4, 100, side{10, 1, 100 * time.Millisecond}, side{10, 1, time.Second}, .1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open()
				l.Traces, l.Queue = tt.limit, tt.queue
				r := newLimiter(t, l)
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Second)
				defer cancel()
				one := busy(ctx, r, Caller{"one", "a"}, tt.one.loops, tt.one.traces, tt.one.takes)
				other := busy(ctx, r, Caller{"other", "b"}, tt.other.loops, tt.other.traces, tt.other.takes)
				a, b := one(), other()
				if ratio := float64(b) / float64(a) / tt.shares; ratio < .95 || ratio > 1.05 {
					t.Errorf("one made %d traces, the other %d: a ratio of %.3f", a, b, ratio*tt.shares)
				}
				if full := float64(a)*tt.one.takes.Seconds() + float64(b)*tt.other.takes.Seconds(); full < 195*float64(tt.limit) {
					t.Errorf("%.0f s of traces were made in 200 s with %d places", full, tt.limit)
				}
				r.empty(t)
			})
		})
	}
}

// TestComingAndGoing: an account that is not there all the time is not served
// before those that are.
func TestComingAndGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open()
		l.Traces = 1
		r := newLimiter(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		made := []func() int{busy(ctx, r, Caller{"0", "0"}, 10, 1, 100*time.Millisecond)}
		for i := range 3 {
			name := fmt.Sprint(i + 1)
			made = append(made, busy(ctx, r, Caller{name, name}, 1, 1, 100*time.Millisecond))
		}
		for i, of := range made {
			if n := of(); n < 225 || n > 275 {
				t.Errorf("account %d made %d of 1000 traces, want a quarter", i, n)
			}
		}
	})
}

// TestFullQueueMakesRoom: who fills the queue first keeps only a fair part.
func TestFullQueueMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open()
		l.Traces, l.Queue = 1, 40
		r := newLimiter(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		refused := map[string]int{}
		var wg sync.WaitGroup
		ask := func(account string) {
			wg.Go(func() {
				v, _, err := r.Admit(Caller{account, account})
				if err == nil {
					defer v.Close()
					err = v.Wait(ctx, 1)
				}
				if err == nil {
					<-ctx.Done()
					return
				}
				if refusal, ok := errors.AsType[*Error](err); ok && refusal.Reason == ErrQueueFull {
					mu.Lock()
					refused[account]++
					mu.Unlock()
				}
			})
		}
		for _, step := range []struct {
			account string
			ask     int
			want    map[string]int
		}{
			// One of a's runs, and 40 wait.
			{"a", 100, map[string]int{"a": 59}},
			{"b", 100, map[string]int{"a": 79, "b": 80}},
			// Another comes late: it too gets its third.
			{"c", 100, map[string]int{"a": 86, "b": 87, "c": 87}},
		} {
			for range step.ask {
				ask(step.account)
				synctest.Wait()
			}
			mu.Lock()
			for account, want := range step.want {
				if got := refused[account]; got < want-1 || got > want+1 {
					t.Errorf("after %s: %s had %d refused, want %d", step.account, account, got, want)
				}
			}
			mu.Unlock()
		}
		cancel()
		wg.Wait()
		r.empty(t)
	})
}

// TestTokenAtItsLimit: does not hold up the other tokens of its account.
func TestTokenAtItsLimit(t *testing.T) {
	l := open()
	l.TracesPerToken = 2
	r := newLimiter(t, l)
	greedy, modest := admit(t, r, Caller{"greedy", "a"}), admit(t, r, Caller{"modest", "a"})
	if err := greedy.Wait(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if err := modest.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := greedy.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := greedy.Begin(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a third trace: %v", err)
	}
	greedy.End()
	if err := greedy.Begin(t.Context()); err != nil {
		t.Error(err)
	}
	if s := r.Stats(); s.Running != 3 {
		t.Errorf("%d traces run, want 2 and 1", s.Running)
	}
	greedy.Close()
	modest.Close()
	greedy.Close()
	greedy.End()
	r.empty(t)
}
