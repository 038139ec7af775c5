// Package report turns measurements into a Markdown table with verdicts.
package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Median returns the middle of the values, of an even number the mean of the
// two in the middle; 0 of none.
func Median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Percentile returns the smallest value that at least p percent of the values
// do not exceed (nearest rank); 0 of none. p is 0 to 100.
func Percentile[T cmp.Ordered](values []T, p float64) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(0, rank-1)]
}

// Pair is one round: the agent, then the peer.
type Pair struct{ Ours, Theirs float64 }

// Pairs are the rounds of a comparison.
type Pairs []Pair

// Ours returns the median of the agent's values.
func (p Pairs) Ours() float64 { return p.median(func(one Pair) float64 { return one.Ours }) }

// Theirs returns the median of the peer's values.
func (p Pairs) Theirs() float64 { return p.median(func(one Pair) float64 { return one.Theirs }) }

// Ratio returns the median of the rounds' ratios, agent to peer.
func (p Pairs) Ratio() float64 {
	return p.median(func(one Pair) float64 { return one.Ours / one.Theirs })
}

func (p Pairs) median(of func(Pair) float64) float64 {
	values := make([]float64, len(p))
	for i, one := range p {
		values[i] = of(one)
	}
	return Median(values)
}

// Micro prints a duration in microseconds, with a decimal below 100.
func Micro(d time.Duration) string {
	µs := float64(d) / float64(time.Microsecond)
	if µs < 100 {
		return fmt.Sprintf("%.1f µs", µs)
	}
	return fmt.Sprintf("%.0f µs", µs)
}

// Count prints a number with a comma between thousands.
func Count(value float64) string {
	digits := fmt.Sprintf("%.0f", math.Abs(value))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if value < 0 && digits != "0" {
		return "-" + digits
	}
	return digits
}
