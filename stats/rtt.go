// Package stats summarises round-trip times: pure arithmetic, no clock.
package stats

import (
	"math"
	"time"
)

// RTT accumulates round-trip times. The zero value is ready to use; a copy is
// a snapshot. It is not safe for concurrent use.
//
// Mean and variance are kept by Welford's recurrence (B. P. Welford,
// Technometrics 4(3), 1962), which stays exact where the sum of squares
// cancels: for microseconds of spread on seconds of delay.
type RTT struct {
	count    int
	min, max time.Duration
	mean, m2 float64 // nanoseconds, nanoseconds squared
}

// Add takes one round-trip time into account.
func (r *RTT) Add(d time.Duration) {
	if r.count == 0 || d < r.min {
		r.min = d
	}
	if r.count == 0 || d > r.max {
		r.max = d
	}
	r.count++
	x := float64(d)
	delta := x - r.mean
	r.mean += delta / float64(r.count)
	r.m2 += delta * (x - r.mean)
}

// Merge adds everything that o has seen (Chan, Golub and LeVeque, 1979).
func (r *RTT) Merge(o RTT) {
	if o.count == 0 {
		return
	}
	if r.count == 0 {
		*r = o
		return
	}
	n, m := float64(r.count), float64(o.count)
	delta := o.mean - r.mean
	r.mean += delta * m / (n + m)
	r.m2 += o.m2 + delta*delta*n*m/(n+m)
	r.min = min(r.min, o.min)
	r.max = max(r.max, o.max)
	r.count += o.count
}

// Count returns how many times were added.
func (r RTT) Count() int { return r.count }

// Min returns the shortest time, 0 when there is none.
func (r RTT) Min() time.Duration { return r.min }

// Max returns the longest time, 0 when there is none.
func (r RTT) Max() time.Duration { return r.max }

// Mean returns the arithmetic mean in nanoseconds, with their fraction; 0
// when there is none.
func (r RTT) Mean() float64 {
	// Rounding in the recurrence may leave the mean an ulp outside of what
	// was seen; a reader must never find mean < min.
	return max(float64(r.min), min(float64(r.max), r.mean))
}

// StdDev returns the sample standard deviation (n-1) in nanoseconds; 0 for
// fewer than two times, never NaN.
func (r RTT) StdDev() float64 {
	if r.count < 2 {
		return 0
	}
	return math.Sqrt(max(0, r.m2) / float64(r.count-1))
}
