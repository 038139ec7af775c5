package stats_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/stats"
)

func accumulate(times ...time.Duration) stats.RTT {
	var r stats.RTT
	for _, d := range times {
		r.Add(d)
	}
	return r
}

// within reports whether got differs from want by no more than a relative
// tolerance, which for want == 0 means not at all.
func within(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Abs(want)
}

func TestRTT(t *testing.T) {
	const us = time.Microsecond
	tests := []struct {
		name     string
		times    []time.Duration
		min, max time.Duration
		mean     float64 // nanoseconds
		stdDev   float64 // nanoseconds
	}{
		{name: "empty"},
		{
			name:  "one time has no deviation",
			times: []time.Duration{1234567},
			min:   1234567, max: 1234567, mean: 1234567,
		},
		{
			// The example in Cloudflare's API reference: .014, .015 and .034 ms
			// give 0.011269427669584647 ms.
			name:  "reference",
			times: []time.Duration{14 * us, 15 * us, 34 * us},
			min:   14 * us, max: 34 * us,
			mean: 21000, stdDev: 11269.427669584647,
		},
		{
			// Trippy computed 5.0 here, by Welford's recurrence with the wrong
			// mean; the sample standard deviation is the square root of 50.
			name:  "two times",
			times: []time.Duration{10, 20},
			min:   10, max: 20,
			mean: 15, stdDev: 7.0710678118654755,
		},
		{
			name:  "zero counts as a time",
			times: []time.Duration{0, 0, 3},
			min:   0, max: 3,
			mean: 1, stdDev: math.Sqrt(3),
		},
		{
			name:  "equal times",
			times: []time.Duration{7 * us, 7 * us, 7 * us, 7 * us},
			min:   7 * us, max: 7 * us, mean: 7000,
		},
		{
			// A day of delay and nanoseconds of spread: the squares need 94 bits,
			// so a float64 sum of squares leaves nothing of the spread.
			name:  "cancellation",
			times: []time.Duration{24*time.Hour + 4, 24*time.Hour + 7, 24*time.Hour + 13, 24*time.Hour + 16},
			min:   24*time.Hour + 4, max: 24*time.Hour + 16,
			mean: 24*3600e9 + 10, stdDev: math.Sqrt(30),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := accumulate(tt.times...)
			if r.Count() != len(tt.times) || r.Min() != tt.min || r.Max() != tt.max {
				t.Errorf("count %d, min %v, max %v; want %d, %v, %v", r.Count(), r.Min(), r.Max(), len(tt.times), tt.min, tt.max)
			}
			if !within(r.Mean(), tt.mean, 1e-15) {
				t.Errorf("mean %v, want %v", r.Mean(), tt.mean)
			}
			if !within(r.StdDev(), tt.stdDev, 1e-15) {
				t.Errorf("standard deviation %v, want %v", r.StdDev(), tt.stdDev)
			}
		})
	}
}

// In milliseconds the reference prints 0.011269427669584647. The exact value
// is √127/1000 = 0.01126942766958464488…, so the last digit is the rounding of
// its own arithmetic; ours may round otherwise by two units in the last place.
func TestReferenceInMilliseconds(t *testing.T) {
	r := accumulate(14*time.Microsecond, 15*time.Microsecond, 34*time.Microsecond)
	const want = 0.011269427669584647
	ulp := math.Nextafter(want, 1) - want
	if got := r.StdDev() / 1e6; math.Abs(got-want) > 2*ulp {
		t.Errorf("standard deviation %v ms, want %v", got, want)
	}
	if got, want := r.Mean()/1e6, 0.021; got != want {
		t.Errorf("mean %v ms, want %v", got, want)
	}
}

// times draws round-trip times: mostly within a minute, some at the limits.
func times() *rapid.Generator[[]time.Duration] {
	one := rapid.OneOf(
		rapid.Int64Range(0, int64(time.Minute)),
		rapid.Int64Range(0, 3),
		rapid.Int64Range(int64(time.Hour), int64(time.Hour)+5),
	)
	return rapid.SliceOf(rapid.Map(one, func(ns int64) time.Duration { return time.Duration(ns) }))
}

func TestOrderOfMinMeanMax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := accumulate(times().Draw(t, "times")...)
		if float64(r.Min()) > r.Mean() || r.Mean() > float64(r.Max()) {
			t.Errorf("min %d, mean %v, max %d are out of order", r.Min(), r.Mean(), r.Max())
		}
		if sd := r.StdDev(); math.IsNaN(sd) || sd < 0 {
			t.Errorf("standard deviation %v", sd)
		}
	})
}

func TestMergeEqualsAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := times().Draw(t, "a"), times().Draw(t, "b")
		merged, other := accumulate(a...), accumulate(b...)
		merged.Merge(other)
		added := accumulate(append(append([]time.Duration(nil), a...), b...)...)

		if merged.Count() != added.Count() || merged.Min() != added.Min() || merged.Max() != added.Max() {
			t.Errorf("merged %+v, added one by one %+v", merged, added)
		}
		if !within(merged.Mean(), added.Mean(), 1e-12) {
			t.Errorf("mean: merged %v, added %v", merged.Mean(), added.Mean())
		}
		// The deviation is known relative to the values, not to itself: a
		// spread of one nanosecond on an hour has few digits to agree on.
		if slack := 1e-12 * float64(added.Max()); math.Abs(merged.StdDev()-added.StdDev()) > slack {
			t.Errorf("standard deviation: merged %v, added %v", merged.StdDev(), added.StdDev())
		}
	})
}

// Against the definition, in two passes.
func TestStdDevByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := times().Filter(func(d []time.Duration) bool { return len(d) > 1 }).Draw(t, "times")
		var sum, squares float64
		for _, d := range all {
			sum += float64(d)
		}
		mean := sum / float64(len(all))
		for _, d := range all {
			squares += (float64(d) - mean) * (float64(d) - mean)
		}
		want := math.Sqrt(squares / float64(len(all)-1))
		r := accumulate(all...)
		if slack := 1e-12 * float64(r.Max()); math.Abs(r.StdDev()-want) > slack {
			t.Errorf("standard deviation %v, want %v", r.StdDev(), want)
		}
	})
}

func TestMergeWithEmpty(t *testing.T) {
	some := accumulate(10, 20)
	var empty stats.RTT

	left := some
	left.Merge(empty)
	right := empty
	right.Merge(some)
	if left != some || right != some {
		t.Errorf("merging with nothing changed %+v to %+v and %+v", some, left, right)
	}
}

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	var r stats.RTT
	d := time.Millisecond
	for b.Loop() {
		r.Add(d)
		d++
	}
	if r.Count() != b.N {
		b.Fatalf("%d times counted, %d added", r.Count(), b.N)
	}
}
