package api

import (
	"hash/maphash"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Limits of failed attempts from one address. A person who mistypes and a
// script that was given a revoked token stay below; a flood costs one
// comparison and one short answer each, and no line in the log.
const (
	failureBurst = 30
	failureEvery = 2 * time.Second
	failureSlots = 1024
	// failureBits is what one IPv6 site is: a /64 is the least anyone has.
	failureBits = 64
)

// failures counts failed attempts by address, in a fixed number of slots that
// addresses are spread over by a keyed hash. Two addresses that share a slot
// share its limit, which only requests without valid credentials meet. The
// memory does not depend on the number of addresses, and none is forgotten.
type failures struct {
	seed  maphash.Seed
	slots [failureSlots]*rate.Limiter
}

func newFailures() *failures {
	f := &failures{seed: maphash.MakeSeed()}
	for i := range f.slots {
		f.slots[i] = rate.NewLimiter(rate.Every(failureEvery), failureBurst)
	}
	return f
}

// count takes note of a failure at now, and returns how long the address must
// wait when it had too many: from 1 s to failureEvery. Otherwise it returns 0.
func (f *failures) count(from netip.Addr, now time.Time) time.Duration {
	if from.Is6() {
		from = netip.PrefixFrom(from, failureBits).Masked().Addr()
	}
	slot := f.slots[maphash.Comparable(f.seed, from)%failureSlots]
	if slot.AllowN(now, 1) {
		return 0
	}
	missing := 1 - slot.TokensAt(now)
	return max(time.Second, time.Duration(missing*float64(failureEvery)))
}
