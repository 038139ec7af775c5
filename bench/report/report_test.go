package report_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/bench/report"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := append([]float64(nil), c.values...)
		if got := report.Median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
		if diff := cmp.Diff(before, c.values); diff != "" {
			t.Errorf("values changed (-before +after):\n%s", diff)
		}
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100) // 100 down to 1
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, c := range []struct {
		values []int
		p      float64
		want   int
	}{
		{nil, 50, 0},
		{hundred, 0, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 99.5, 100},
		{hundred, 100, 100},
		{[]int{3, 1, 2}, 99, 3},
	} {
		if got := report.Percentile(c.values, c.p); got != c.want {
			t.Errorf("percentile %v of %d values is %v, want %v", c.p, len(c.values), got, c.want)
		}
	}
}

// The ratio is that of rounds, not of medians: a slow round slows both.
func TestPairs(t *testing.T) {
	pairs := report.Pairs{{Ours: 10, Theirs: 5}, {Ours: 100, Theirs: 40}, {Ours: 30, Theirs: 3}}
	if pairs.Ours() != 30 || pairs.Theirs() != 5 || pairs.Ratio() != 2.5 {
		t.Errorf("ours %v, theirs %v, ratio %v", pairs.Ours(), pairs.Theirs(), pairs.Ratio())
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{report.Count(0), "0"},
		{report.Count(999), "999"},
		{report.Count(1000), "1,000"},
		{report.Count(1234567.4), "1,234,567"},
		{report.Count(-1234), "-1,234"},
		{report.Count(-0.2), "0"},
		{report.Micro(2949 * time.Nanosecond), "2.9 µs"},
		{report.Micro(123456 * time.Nanosecond), "123 µs"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	table := report.Table{
		{Goal: report.Goal{What: "speed, `a|b`", Target: "≥ 5×"}, Outcome: report.Outcome{
			Ours: "10/s", Beside: "peer 2/s", Ratio: "5×", Verdict: report.Judge(true),
		}},
		{Goal: report.Goal{What: "start"}, Outcome: report.Outcome{Verdict: report.Failed, Note: "two\nlines"}},
	}
	var got strings.Builder
	if err := table.Markdown(&got); err != nil {
		t.Fatal(err)
	}
	want := "| # | what | agent | beside it, in the same run | ratio | target | verdict |\n" +
		"|--:|---|---|---|---|---|---|\n" +
		"| 1 | speed, `a\\|b` | 10/s | peer 2/s | 5× | ≥ 5× | met |\n" +
		"| 2 | start | – | – | – | – | **failed** |\n" +
		"\n" +
		"- Row 2: two lines\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[report.Verdict]int{report.Met: 1, report.Failed: 1}, table.Verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

func TestPlaceIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("# Measured\n\n<!-- bench: begin -->\nold\n<!-- bench: end -->\n\nend\n")
	for _, run := range []string{"a run\n", "another\n"} {
		if err := report.PlaceIn(path, []byte(run)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := "# Measured\n\n<!-- bench: begin -->\n\n" + run + "\n<!-- bench: end -->\n\nend\n"
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("document (-want +got):\n%s", diff)
		}
	}
	for _, text := range []string{"", "<!-- bench: begin -->", "<!-- bench: end --> <!-- bench: begin -->"} {
		write(text)
		if err := report.PlaceIn(path, nil); !errors.Is(err, report.ErrNoPlace) {
			t.Errorf("%q: %v", text, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// What /proc tells of any Linux machine.
func TestThisMachine(t *testing.T) {
	m := report.ThisMachine()
	if m.Cores < 1 || m.Memory == "" || m.Kernel == "" || m.Load == "" || m.Go == "" {
		t.Errorf("%+v", m)
	}
	m.Peers = []string{"traceroute 2.1.2", "mtr missing"}
	var text strings.Builder
	if err := m.Markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{m.Kernel, m.Memory, "traceroute 2.1.2, mtr missing", "load average before it " + m.Load} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}
