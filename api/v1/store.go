package v1

import (
	"slices"
	"sync"
	"time"
)

// Limits bound the traces that are kept after they have ended. When there are
// more, the oldest ones go of the account whose traces take most.
type Limits struct {
	Traces int           // requests of traces; 0: none is kept
	Bytes  int64         // what they take together
	Age    time.Duration // since their end
}

// store has the resources that clients can address: those that run, and recent
// ones.
type store struct {
	mu       sync.Mutex
	limits   Limits
	byID     map[string]*resource
	finished []*resource      // by their end
	bytes    int64            // of finished
	taken    map[string]int64 // bytes of finished by account
	expiry   *time.Timer      // at the end of the oldest one's age; nil when there is none
}

func newStore(limits Limits) *store {
	return &store{limits: limits, byID: make(map[string]*resource), taken: make(map[string]int64)}
}

// setLimits replaces the limits and drops what is over them.
func (s *store) setLimits(limits Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = limits
	s.trim()
}

// add adds a resource that runs.
func (s *store) add(t *resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[t.id] = t
}

// finish makes the limits apply to a resource that has been recorded.
func (s *store) finish(t *resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = append(s.finished, t)
	s.count(t, int64(t.size()))
	s.trim()
}

// find returns the account's resource of that id, nil when there is none, or it
// is another account's.
func (s *store) find(account, id string) *resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.byID[id]; t != nil && t.account == account {
		return t
	}
	return nil
}

// kept returns how many resources have ended, and the bytes that they take.
func (s *store) kept() (traces int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.finished), s.bytes
}

// trim drops what is over the limits and sees that it is called again when the
// next one is too old. The caller holds mu.
func (s *store) trim() {
	for len(s.finished) > 0 && time.Since(s.finished[0].ended) >= s.limits.Age {
		s.drop(0)
	}
	for len(s.finished) > s.limits.Traces || s.bytes > s.limits.Bytes {
		s.drop(s.oldestOfLargest())
	}
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	if len(s.finished) > 0 {
		s.expiry = time.AfterFunc(s.limits.Age-time.Since(s.finished[0].ended), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.trim()
		})
	}
}

// oldestOfLargest returns the index of the oldest resource of the account whose
// resources take most.
func (s *store) oldestOfLargest() int {
	oldest := 0
	for i, t := range s.finished {
		if s.taken[t.account] > s.taken[s.finished[oldest].account] {
			oldest = i
		}
	}
	return oldest
}

func (s *store) drop(i int) {
	t := s.finished[i]
	s.finished = slices.Delete(s.finished, i, i+1) // which forgets it, too
	s.count(t, -int64(t.size()))
	delete(s.byID, t.id)
}

func (s *store) count(t *resource, bytes int64) {
	s.bytes += bytes
	if s.taken[t.account] += bytes; s.taken[t.account] == 0 {
		delete(s.taken, t.account)
	}
}
