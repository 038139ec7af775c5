package quota

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns limits that hold nobody back.
func open() Limits {
	return Limits{Queue: MaxQueue, QueuePerAccount: MaxQueue, Wait: MaxWait}
}

func newLimiter(t testing.TB, l Limits) *Limiter {
	t.Helper()
	r, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func admit(t testing.TB, r *Limiter, c Caller) *Ticket {
	t.Helper()
	v, _, err := r.Admit(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// reasonOf returns why a request was refused, Reasons when it was not.
func reasonOf(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return Reasons
	}
	refused, ok := err.(*Error)
	if !ok {
		t.Fatalf("error %v", err)
	}
	return refused.Reason
}

// empty fails the test when the limiter holds anything.
func (l *Limiter) empty(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.admitted+l.waiting+l.running+len(l.accounts) != 0 {
		t.Errorf("%d inside, %d places, %d traces, %d accounts left", l.admitted, l.waiting, l.running, len(l.accounts))
	}
	for name, token := range l.tokens {
		if token.admitted+token.running != 0 {
			t.Errorf("token %q: %+v", name, token)
		}
	}
}
