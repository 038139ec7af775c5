package quota

import (
	"cmp"
	"slices"
	"time"
)

// Stats are a Room's numbers at one moment.
type Stats struct {
	Inside   int // requests
	Waiting  int // requests inside that have no trace under way yet
	Running  int // traces
	Tokens   int // remembered
	Waits    uint64
	Waited   time.Duration // of all Waits together
	Accounts []AccountStats
}

// AccountStats are an account's numbers since the Room began.
type AccountStats struct {
	Account  string // empty: anonymous
	Requests uint64 // let in
	Refused  [Reasons]uint64
	Traces   uint64 // begun
}

// OtherAccounts is the name under which all accounts are counted for which
// there is no room: a letter that no account has.
const OtherAccounts = "*"

// maxTallied bounds how many accounts are counted apart.
const maxTallied = 200

// tally is what a Room counts.
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
func (r *Room) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{
		Inside: r.inside, Waiting: r.places, Running: r.running, Tokens: len(r.tokens),
		Waits: r.tally.waits, Waited: r.tally.waited,
	}
	for _, a := range r.tally.accounts {
		s.Accounts = append(s.Accounts, a.AccountStats)
	}
	slices.SortFunc(s.Accounts, func(a, b AccountStats) int { return cmp.Compare(a.Account, b.Account) })
	return s
}
