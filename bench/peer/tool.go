package peer

import (
	"fmt"
	"strconv"
	"strings"
)

// Benchmark is the result of one Go benchmark.
type Benchmark struct {
	Name   string // without "Benchmark", with the suffix of its processors
	Values map[string]float64
}

// GoTest reads what go test -bench prints: for each benchmark a line of name,
// iterations, and pairs of value and unit.
func GoTest(output string) ([]Benchmark, error) {
	var all []Benchmark
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		b := Benchmark{Name: strings.TrimPrefix(words[0], "Benchmark"), Values: make(map[string]float64)}
		for i := 2; i+1 < len(words); i += 2 {
			value, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				return nil, fmt.Errorf("peer: go test wrote %q: %w", line, err)
			}
			b.Values[words[i+1]] = value
		}
		all = append(all, b)
	}
	return all, nil
}

// TCPDumpDropped reads from tcpdump's closing words how many packets the
// kernel had no room for.
func TCPDumpDropped(words string) (int, error) {
	for line := range strings.Lines(words) {
		if number, found := strings.CutSuffix(strings.TrimSpace(line), " dropped by kernel"); found {
			count, _, _ := strings.Cut(number, " ")
			return strconv.Atoi(count)
		}
	}
	return 0, fmt.Errorf("peer: tcpdump did not say what it dropped: %q", words)
}

// Version finds the version in what a program says of itself: the first word
// that begins with a digit.
func Version(words string) string {
	for word := range strings.FieldsSeq(words) {
		if word[0] >= '0' && word[0] <= '9' {
			return strings.TrimRight(word, ",;")
		}
	}
	return "unknown"
}
