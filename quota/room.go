package quota

import (
	"slices"
	"sync"
	"time"
)

// Caller is on whose behalf a request comes. The zero value is anonymous; all
// anonymous requests are of one token and one account.
type Caller struct {
	Token   string // name of the credential, which rates and traces are counted by
	Account string // which the queue is shared out by
}

// Room admits requests. All methods are safe for concurrent use.
type Room struct {
	began time.Time
	idle  chan struct{} // closed when draining and nobody is inside any more

	mu       sync.Mutex // guards what follows
	limits   Limits
	accounts map[string]*account // those with somebody inside
	tokens   map[string]*token   // and those whose requests still count
	inside   int                 // requests
	places   int                 // requests inside that have not begun
	running  int                 // traces
	granted  uint64              // traces so far
	draining bool
	swept    time.Duration
	tally    tally
}

// account is what the queue is shared out by.
type account struct {
	name    string
	record  *record
	inside  int
	places  int
	running int
	queue   []*Visit // those that want more traces, in the order of coming
}

// token is what rates and traces are counted by.
type token struct {
	inside  int
	running int
	asked   window
}

// maxTokens bounds the memory for callers. Tokens are handed out by hand, so
// more of them within one window are none that anybody has handed out.
const maxTokens = 4096

// New returns an empty Room, or the error of limits.Check.
func New(limits Limits) (*Room, error) {
	if err := limits.Check(); err != nil {
		return nil, err
	}
	return &Room{
		began: time.Now(), idle: make(chan struct{}), limits: limits,
		accounts: make(map[string]*account), tokens: make(map[string]*token),
		tally: newTally(),
	}, nil
}

// SetLimits replaces the limits. What is under way goes on; where there is more
// of it than the limits now allow, nothing is added until it has ended. The
// error is that of limits.Check, and then nothing has changed.
func (r *Room) SetLimits(limits Limits) error {
	if err := limits.Check(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = limits
	r.grant()
	return nil
}

// Enter lets a request in, which must Leave. The error is a *Refusal. The
// Allowance is that of the caller's token, after this request.
func (r *Room) Enter(c Caller) (*Visit, Allowance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Since(r.began)
	t := r.token(c.Token, now)
	if t == nil {
		return nil, Allowance{}, r.refuse(c.Account, Crowded, 0)
	}
	a := r.limits.allowance(&t.asked, now)
	switch {
	case r.draining:
		return nil, a, r.refuse(c.Account, Closing, 0)
	case a.Requests > 0 && a.Remaining == 0:
		return nil, a, r.refuse(c.Account, TooFast, a.Reset)
	}
	in := r.account(c.Account)
	if !r.makePlace(in) {
		r.forgetAccount(in)
		return nil, a, r.refuse(c.Account, Crowded, 0)
	}
	if a.Requests > 0 {
		t.asked.add(now)
		a = r.limits.allowance(&t.asked, now)
	}
	r.inside++
	r.places++
	in.inside++
	in.places++
	t.inside++
	in.record.Requests++
	return &Visit{room: r, account: in, token: t, settled: make(chan struct{})}, a, nil
}

// makePlace reports whether there is a place for one more request of the
// account. When the queue is full, the account with most requests in it gives
// way, as long as it has more than this one: whoever comes first must not keep
// others out.
func (r *Room) makePlace(in *account) bool {
	if in.places >= r.limits.QueuePerAccount {
		return false
	}
	if r.places < r.limits.Queue {
		return true
	}
	most := in
	for _, a := range r.accounts {
		if a.places > most.places {
			most = a
		}
	}
	if most.places <= in.places+1 {
		return false
	}
	for _, v := range slices.Backward(most.queue) {
		if !v.begun {
			v.dismiss(r.refuse(most.name, Crowded, 0))
			return true
		}
	}
	return false
}

// account returns the account of that name.
func (r *Room) account(name string) *account {
	a := r.accounts[name]
	if a == nil {
		a = &account{name: name, record: r.tally.of(name)}
		r.accounts[name] = a
	}
	return a
}

func (r *Room) forgetAccount(a *account) {
	if a.inside == 0 {
		delete(r.accounts, a.name)
	}
}

// token returns the token of that name, nil when there are too many.
func (r *Room) token(name string, now time.Duration) *token {
	if t := r.tokens[name]; t != nil {
		return t
	}
	if len(r.tokens) >= maxTokens {
		r.sweep(now)
	}
	if len(r.tokens) >= maxTokens {
		return nil
	}
	t := &token{}
	r.tokens[name] = t
	return t
}

// sweepEvery is the least time between two sweeps: looking at every token is
// not for whoever asks to cause.
const sweepEvery = 100 * time.Millisecond

// sweep forgets the tokens that would begin anew no different.
func (r *Room) sweep(now time.Duration) {
	if r.swept != 0 && now-r.swept < sweepEvery {
		return
	}
	r.swept = now
	for name, t := range r.tokens {
		t.asked.forget(now - r.limits.Window)
		if t.inside+t.running+t.asked.count == 0 {
			delete(r.tokens, name)
		}
	}
}

// Drain refuses every further request. Those inside go on, also those that
// wait; the channel is closed when the last of them has left. Calling it again
// returns the same channel.
func (r *Room) Drain() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.draining = true
		r.closeIfEmpty()
	}
	return r.idle
}

// Draining reports whether Drain has been called.
func (r *Room) Draining() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.draining
}

func (r *Room) closeIfEmpty() {
	if r.draining && r.inside == 0 {
		close(r.idle)
	}
}

// refuse counts a refusal and returns it.
func (r *Room) refuse(account string, why Reason, retryAfter time.Duration) *Refusal {
	r.tally.of(account).Refused[why]++
	return &Refusal{Reason: why, RetryAfter: retryAfter}
}
