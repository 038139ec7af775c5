package quota

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestWindowHoldsForEverySpan: whatever the times of asking, no span as long as
// the window sees more than the limit, nobody is refused who would not exceed
// it, and who comes back when told to is let in.
func TestWindowHoldsForEverySpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{Requests: rapid.IntRange(1, 20).Draw(t, "requests"), Window: time.Duration(rapid.IntRange(1, 90).Draw(t, "window")) * time.Second}
		var w window
		var now time.Duration
		var passed []time.Duration
		within := func(now time.Duration) (n int) {
			for _, at := range passed {
				if at > now-l.Window {
					n++
				}
			}
			return n
		}
		for range 100 {
			now += time.Duration(rapid.Int64Range(0, int64(2*l.Window)/int64(l.Requests)).Draw(t, "pause"))
			a := l.allowance(&w, now)
			if want := l.Requests - within(now); a.Remaining != want || (a.Reset == 0) != (want == l.Requests) || a.Reset > l.Window {
				t.Fatalf("at %v: %+v, want %d remaining", now, a, want)
			}
			if a.Remaining == 0 {
				if l.allowance(&w, now+a.Reset-1).Remaining != 0 || l.allowance(&w, now+a.Reset).Remaining == 0 {
					t.Fatalf("at %v: %+v, which is not when one more may come", now, a)
				}
				now += a.Reset
			}
			w.add(now)
			passed = append(passed, now)
			if n := within(now); n > l.Requests {
				t.Fatalf("%d requests within %v, limit %d", n, l.Window, l.Requests)
			}
		}
		if len(w.times) > 2*max(4, l.Requests) {
			t.Fatalf("remembers %d times for a limit of %d", len(w.times), l.Requests)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open()
		l.Requests, l.Window = 2, 10*time.Second
		r := newLimiter(t, l)
		one := Caller{Token: "one", Account: "a"}
		ask := func(c Caller) (Allowance, *Error) {
			v, a, err := r.Admit(c)
			if refused, ok := errors.AsType[*Error](err); ok {
				return a, refused
			}
			v.Close()
			return a, nil
		}
		for remaining := 1; remaining >= 0; remaining-- {
			a, refused := ask(one)
			if want := (Allowance{Requests: 2, Window: 10 * time.Second, Remaining: remaining, Reset: 10 * time.Second}); a != want || refused != nil {
				t.Errorf("%+v, %v, want %+v", a, refused, want)
			}
		}
		time.Sleep(4 * time.Second)
		for range 3 { // those that are refused do not count
			a, refused := ask(one)
			if refused == nil || refused.Reason != ErrRateLimited || refused.RetryAfter != 6*time.Second || a.Remaining != 0 {
				t.Errorf("%+v, %+v, want a refusal for 6s", a, refused)
			}
		}
		// Another token of the account has a rate of its own.
		if _, refused := ask(Caller{Token: "other", Account: "a"}); refused != nil {
			t.Error(refused)
		}
		time.Sleep(6 * time.Second)
		if a, refused := ask(one); refused != nil || a.Remaining != 1 {
			t.Errorf("%+v, %v after the time told", a, refused)
		}
		r.empty(t)
		// What begins no trace counts as well, also while draining.
		r.Drain()
		if a, err := r.Count(one); err != nil || a.Remaining != 0 {
			t.Errorf("counted: %+v, %v", a, err)
		}
		if a, err := r.Count(one); !errors.Is(err, ErrRateLimited) || a.Reset != 10*time.Second {
			t.Errorf("counted beyond the rate: %+v, %v", a, err)
		}
		l.Requests = 0
		if err := r.SetLimits(l); err != nil {
			t.Fatal(err)
		}
		if a, err := r.Count(one); err != nil || a.Requests != 0 {
			t.Errorf("counted without a rate: %+v, %v", a, err)
		}
	})
}

// TestTokensAreBounded: strangers without end are refused, not remembered; and
// what rests is forgotten.
func TestTokensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open()
		l.Requests, l.Window = 1, time.Second
		r := newLimiter(t, l)
		name := func(i int) Caller {
			return Caller{Token: time.Duration(i).String(), Account: time.Duration(i).String()}
		}
		for i := range maxTokens {
			admit(t, r, name(i)).Close()
		}
		for i := range 1000 {
			if _, _, err := r.Admit(name(maxTokens + i)); reasonOf(t, err) != ErrQueueFull {
				t.Fatalf("caller %d: %v", maxTokens+i, err)
			}
		}
		if _, _, err := r.Admit(name(1)); reasonOf(t, err) != ErrRateLimited {
			t.Errorf("a remembered caller: %v", err)
		}
		time.Sleep(2 * time.Second)
		admit(t, r, name(maxTokens)).Close()
		if s := r.Stats(); s.Tokens > 2 || len(s.Accounts) > maxTallied+1 {
			t.Errorf("%d tokens, %d accounts remembered", s.Tokens, len(s.Accounts))
		}
	})
}
