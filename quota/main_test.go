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

func newRoom(t testing.TB, l Limits) *Room {
	t.Helper()
	r, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func enter(t testing.TB, r *Room, c Caller) *Visit {
	t.Helper()
	v, _, err := r.Enter(c)
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
	refused, ok := err.(*Refusal)
	if !ok {
		t.Fatalf("error %v", err)
	}
	return refused.Reason
}

// empty fails the test when the room holds anything.
func (r *Room) empty(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inside+r.places+r.running+len(r.accounts) != 0 {
		t.Errorf("%d inside, %d places, %d traces, %d accounts left", r.inside, r.places, r.running, len(r.accounts))
	}
	for name, token := range r.tokens {
		if token.inside+token.running != 0 {
			t.Errorf("token %q: %+v", name, token)
		}
	}
}
