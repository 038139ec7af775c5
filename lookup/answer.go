package lookup

import (
	"errors"
	"time"
)

// How long answers are kept.
const (
	// MinTTL and MaxTTL bound what name servers ask for. Below the first,
	// every trace would ask again; above the second, a name would outlive its
	// owner's patience.
	MinTTL = time.Minute
	MaxTTL = 24 * time.Hour
	// MaxNegativeTTL bounds how long it is remembered that there is no answer
	// (RFC 2308 section 5 advises one to three hours).
	MaxNegativeTTL = time.Hour
	// FailureTTL is how long a lookup that failed is not tried again (RFC 9520
	// section 3.2: at least 1 s, at most 5 minutes).
	FailureTTL = 30 * time.Second
	// SystemTTL is how long an answer of the host's resolver is kept, which
	// does not tell TTLs.
	SystemTTL = 10 * time.Minute
)

// fate is what came of a lookup.
type fate uint8

const (
	found   fate = iota
	absent       // there is none
	refused      // there is one, but not one to be shown
	failed       // an error, or answers that are none
	silent       // silence
	unasked      // nothing: no name server in use
	fates
)

// answer is what is known of an address, if only that nothing is.
type answer[V any] struct {
	value V // meaningful when found
	fate  fate
	ttl   time.Duration // how long to keep it; 0: not at all
}

// foundAnswer is value, to be kept as long as its owner says, within bounds.
func foundAnswer[V any](value V, ttl time.Duration) answer[V] {
	return answer[V]{value: value, fate: found, ttl: min(max(ttl, MinTTL), MaxTTL)}
}

// noAnswer is that there is none, to be kept as long as its owner says, within
// bounds. A ttl below 0 means that the owner said nothing.
func noAnswer[V any](why fate, ttl time.Duration) answer[V] {
	return answer[V]{fate: why, ttl: min(max(ttl, MinTTL), MaxNegativeTTL)}
}

// failedAnswer is that a lookup brought nothing.
func failedAnswer[V any](err error) answer[V] {
	switch {
	case errors.Is(err, errAside): // says nothing of the address
		return answer[V]{fate: unasked}
	case timedOut(err):
		return answer[V]{fate: silent, ttl: FailureTTL}
	}
	return answer[V]{fate: failed, ttl: FailureTTL}
}
