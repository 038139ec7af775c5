package quota

import (
	"cmp"
	"slices"
	"time"
)

// Stats are a Limiter's numbers at one moment.
type Stats struct {
	Admitted int // requests
	Waiting  int // requests inside that have no trace under way yet
	Running  int // traces
	Tokens   int // remembered
	Waits    uint64
	Waited   time.Duration // of all Waits together
	Accounts []AccountStats
}

// AccountStats are an account's numbers since the Limiter began.
type AccountStats struct {
	Account  string // empty: anonymous
	Requests uint64 // admitted
	Refused  [Reasons]uint64
	Traces   uint64 // begun
}

// OtherAccounts is the name under which all accounts beyond the first 200 are
// counted: a character that no account's name has.
const OtherAccounts = "*"

// maxTallied bounds how many accounts are counted apart.
const maxTallied = 200

// tally is what a Limiter counts.
type tally struct {
	waits    uint64
	waited   time.Duration
	accounts map[string]*record
}

// record is what is remembered of an account when it is not there.
type record struct {
	AccountStats
	last uint64 // the grant that it had last
}

func newTally() tally { return tally{accounts: make(map[string]*record)} }

// of returns the record of the account.
func (t *tally) of(account string) *record {
	if a := t.accounts[account]; a != nil {
		return a
	}
	if len(t.accounts) >= maxTallied {
		account = OtherAccounts
		if a := t.accounts[account]; a != nil {
			return a
		}
	}
	a := &record{AccountStats: AccountStats{Account: account}}
	t.accounts[account] = a
	return a
}

// Stats returns the numbers as they are now, accounts by name.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Admitted: l.admitted, Waiting: l.waiting, Running: l.running, Tokens: len(l.tokens),
		Waits: l.tally.waits, Waited: l.tally.waited,
	}
	for _, a := range l.tally.accounts {
		s.Accounts = append(s.Accounts, a.AccountStats)
	}
	slices.SortFunc(s.Accounts, func(a, b AccountStats) int { return cmp.Compare(a.Account, b.Account) })
	return s
}
