// Package mono has the engine's time: readings of the monotonic clock.
//
// The packages that decide when to send take time as an argument and read no
// clock.
package mono

import "time"

// Instant is a reading of the monotonic clock: nanoseconds since the engine
// started.
type Instant int64

// Forever is later than any reading.
const Forever = Instant(1<<63 - 1)

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Since returns the time from j to i.
func (i Instant) Since(j Instant) time.Duration { return time.Duration(i - j) }
