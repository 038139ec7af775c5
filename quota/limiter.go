package quota

import (
	"slices"
	"sync"
	"time"
)

// Caller identifies on whose behalf a request is made. The zero value is
// anonymous; all anonymous requests belong to one token and one account.
type Caller struct {
	Token   string // name of the credential, by which rates and traces are limited
	Account string // by which the queue is shared
}

// Limiter admits requests. All methods are safe for concurrent use.
type Limiter struct {
	began time.Time
	idle  chan struct{} // closed when draining and no request is admitted any more

	mu       sync.Mutex // guards what follows
	limits   Limits
	accounts map[string]*account // those with admitted requests
	tokens   map[string]*token   // and those whose requests still count
	admitted int                 // requests
	waiting  int                 // admitted requests that have not begun
	running  int                 // traces
	granted  uint64              // traces so far
	draining bool
	swept    time.Duration
	tally    tally
}

// account is the unit that the queue is shared between.
type account struct {
	name     string
	record   *record
	admitted int
	waiting  int
	running  int
	queue    []*request // those that want more traces, in order of arrival
}

// token is the unit that rates and traces are limited by.
type token struct {
	admitted int
	running  int
	sent     window
}

// maxTokens bounds the memory for callers. Tokens are issued by hand, so more
// of them within one window are not issued ones.
const maxTokens = 4096

// New returns a Limiter that has admitted nothing, or the error of limits.Check.
func New(limits Limits) (*Limiter, error) {
	if err := limits.Check(); err != nil {
		return nil, err
	}
	return &Limiter{
		began: time.Now(), idle: make(chan struct{}), limits: limits,
		accounts: make(map[string]*account), tokens: make(map[string]*token),
		tally: newTally(),
	}, nil
}

// SetLimits replaces the limits. What is under way goes on; where there is more
// of it than the limits now allow, nothing is added until it has ended. The
// error is that of limits.Check, and then nothing has changed.
func (l *Limiter) SetLimits(limits Limits) error {
	if err := limits.Check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits = limits
	l.grant()
	return nil
}

// Admit admits a request, whose Ticket must be closed. The error is an *Error.
// The Allowance is that of the caller's token, after this request.
func (l *Limiter) Admit(c Caller) (*Ticket, Allowance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	t := l.token(c.Token, now)
	if t == nil {
		return nil, Allowance{}, l.refuse(c.Account, ErrQueueFull, 0)
	}
	a := l.limits.allowance(&t.sent, now)
	switch {
	case l.draining:
		return nil, a, l.refuse(c.Account, ErrShuttingDown, 0)
	case a.Requests > 0 && a.Remaining == 0:
		return nil, a, l.refuse(c.Account, ErrRateLimited, a.Reset)
	}
	in := l.account(c.Account)
	if !l.makeRoom(in) {
		l.forgetAccount(in)
		return nil, a, l.refuse(c.Account, ErrQueueFull, 0)
	}
	if a.Requests > 0 {
		t.sent.add(now)
		a = l.limits.allowance(&t.sent, now)
	}
	l.admitted++
	l.waiting++
	in.admitted++
	in.waiting++
	t.admitted++
	in.record.Requests++
	return newTicket(&request{
		limiter: l, account: in, token: t,
		settled: make(chan struct{}), closed: make(chan struct{}),
	}), a, nil
}

// Count counts a request that needs no admission, because it begins no trace,
// against the rate of the caller's token. It is served while draining, too. The
// error is an *Error: ErrRateLimited, or ErrQueueFull when there are more callers
// than the Limiter can keep apart.
func (l *Limiter) Count(c Caller) (Allowance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	t := l.token(c.Token, now)
	if t == nil {
		return Allowance{}, l.refuse(c.Account, ErrQueueFull, 0)
	}
	a := l.limits.allowance(&t.sent, now)
	switch {
	case a.Requests == 0:
		return a, nil
	case a.Remaining == 0:
		return a, l.refuse(c.Account, ErrRateLimited, a.Reset)
	}
	t.sent.add(now)
	return l.limits.allowance(&t.sent, now), nil
}

// makeRoom reports whether the queue has room for one more request of the
// account. When it is full, the account with most requests in it loses its
// latest one, as long as it has more than this one: early callers must not shut
// others out.
func (l *Limiter) makeRoom(in *account) bool {
	if in.waiting >= l.limits.QueuePerAccount {
		return false
	}
	if l.waiting < l.limits.Queue {
		return true
	}
	most := in
	for _, a := range l.accounts {
		if a.waiting > most.waiting {
			most = a
		}
	}
	if most.waiting <= in.waiting+1 {
		return false
	}
	for _, q := range slices.Backward(most.queue) {
		if !q.begun {
			q.refuse(l.refuse(most.name, ErrQueueFull, 0))
			return true
		}
	}
	return false
}

// account returns the account of that name.
func (l *Limiter) account(name string) *account {
	a := l.accounts[name]
	if a == nil {
		a = &account{name: name, record: l.tally.of(name)}
		l.accounts[name] = a
	}
	return a
}

func (l *Limiter) forgetAccount(a *account) {
	if a.admitted == 0 {
		delete(l.accounts, a.name)
	}
}

// token returns the token of that name, nil when there are too many.
func (l *Limiter) token(name string, now time.Duration) *token {
	if t := l.tokens[name]; t != nil {
		return t
	}
	if len(l.tokens) >= maxTokens {
		l.sweep(now)
	}
	if len(l.tokens) >= maxTokens {
		return nil
	}
	t := &token{}
	l.tokens[name] = t
	return t
}

// sweepEvery is the minimum time between two sweeps: no caller can make the
// Limiter look at every token for each of its requests.
const sweepEvery = 100 * time.Millisecond

// sweep forgets the tokens whose state is that of a new one.
func (l *Limiter) sweep(now time.Duration) {
	if l.swept != 0 && now-l.swept < sweepEvery {
		return
	}
	l.swept = now
	for name, t := range l.tokens {
		t.sent.forget(now - l.limits.Window)
		if t.admitted+t.running+t.sent.count == 0 {
			delete(l.tokens, name)
		}
	}
}

// Drain refuses every further request. Those admitted go on, waiting ones
// included; the channel is closed when the last of them has closed its ticket.
// Calling it again returns the same channel.
func (l *Limiter) Drain() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.draining {
		l.draining = true
		l.closeIfIdle()
	}
	return l.idle
}

// Draining reports whether Drain has been called.
func (l *Limiter) Draining() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.draining
}

func (l *Limiter) closeIfIdle() {
	if l.draining && l.admitted == 0 {
		close(l.idle)
	}
}

// refuse counts a refusal and returns it.
func (l *Limiter) refuse(account string, reason Reason, retryAfter time.Duration) *Error {
	l.tally.of(account).Refused[reason]++
	return &Error{Reason: reason, RetryAfter: retryAfter}
}
