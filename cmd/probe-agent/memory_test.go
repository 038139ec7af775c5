//go:build !race

package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"probe-agent/internal/cgroup"
)

// memory returns the resident size of the agent, and the largest since the
// last call, in KiB.
func (a *process) memory(t *testing.T) (now, peak int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &now)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	// Resets VmHWM (proc_pid_clear_refs(5)).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", a.Process.Pid), []byte("5"), 0o600); err != nil {
		t.Fatal(err)
	}
	return now, peak
}

// Files that are read again unchanged cost little memory; a list of the largest
// permitted size that is wholly replaced, half of what is resident; AS data that
// is replaced, no more than a second table. Lists leave no trace. AS data does:
// the tries of the new table fill gaps between those of the old one.
func TestReloadMemory(t *testing.T) {
	tests := []struct {
		setting string
		lines   int
		line    func(*rand.Rand, int) string
		steady  int // most that may be resident, in MiB
		// Most of what is resident at the start: peaks of a reload, unchanged and
		// wholly changed, and what stays.
		unchanged, changed, after float64
	}{
		{"--do-not-probe", 1 << 20, listLine, 60, 1.3, 1.5, 1.1},
		{"--asn-data", 700_000, rangeLine, 150, 1.1, 2, 1.5},
	}
	for _, tt := range tests {
		t.Run(tt.setting, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			writeLines(t, path, 1, tt.lines, tt.line)
			a := startAgent(t, "--names", "off", tt.setting, path)
			steady, _ := a.memory(t)
			if steady > tt.steady<<10 {
				t.Errorf("%d KiB resident with %d entries, want at most %d MiB", steady, tt.lines, tt.steady)
			}
			for i, limit := range []float64{tt.unchanged, tt.unchanged, tt.changed} {
				if limit == tt.changed {
					writeLines(t, path, 2, tt.lines, tt.line)
				}
				if err := a.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				a.awaitLog(t, "configuration reloaded")
				now, peak := a.memory(t)
				t.Logf("reload %d: %d KiB, peak %d KiB (%.2f); at the start %d KiB", i+1, now, peak, float64(peak)/float64(steady), steady)
				if float64(peak) > limit*float64(steady) || float64(now) > tt.after*float64(steady) {
					t.Errorf("reload %d: more than %.1f at the peak or %.1f after it", i+1, limit, tt.after)
				}
			}
		})
	}
}

// listLine returns an entry of a do-not-probe list, of either family.
func listLine(r *rand.Rand, i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("2001:db8:%x:%x::%x\n", r.Uint32N(1<<16), r.Uint32N(1<<16), r.Uint32N(1<<16))
	}
	return fmt.Sprintf("%d.%d.%d.%d\n", 1+r.Uint32N(223), r.Uint32N(256), r.Uint32N(256), r.Uint32N(256))
}

// rangeLine returns a range of IPv4 addresses and its AS number.
func rangeLine(r *rand.Rand, i int) string {
	block := 1<<16 + 20*i // 1.0.0.0/24 and on, as far apart as fits
	return fmt.Sprintf("%[1]d.%[2]d.%[3]d.0,%[1]d.%[2]d.%[3]d.255,%[4]d\n", block>>16, block>>8&255, block&255, 1+r.Uint32N(400_000))
}

// writeLines writes a file of lines that depend on seed.
func writeLines(t *testing.T, path string, seed uint64, lines int, line func(*rand.Rand, int) string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	buffered := bufio.NewWriter(file)
	for r, i := rand.New(rand.NewPCG(seed, 0)), 0; i < lines; i++ {
		_, _ = buffered.WriteString(line(r, i)) // Flush returns the error
	}
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
}

// The heap is limited to what the control group grants, unless GOMEMLIMIT is
// set.
func TestMemoryLimit(t *testing.T) {
	fromGroup := int64(math.MaxInt64)
	if limit, ok := cgroup.MemoryLimit(os.DirFS("/")); ok {
		fromGroup = limit / 100 * 90 // ADR 42
	}
	for set, want := range map[string]int64{"": fromGroup, "123MiB": 123 << 20} {
		t.Setenv("GOMEMLIMIT", set)
		a := startAgent(t, "--names", "off")
		response, err := http.Get("http://" + a.address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if line := fmt.Sprintf("\ngo_gc_gomemlimit_bytes %v\n", float64(want)); err != nil || !strings.Contains(string(body), line) {
			t.Errorf("GOMEMLIMIT=%s: no %q in /metrics, error %v", set, line, err)
		}
	}
}
