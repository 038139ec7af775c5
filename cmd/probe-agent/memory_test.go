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

// A do-not-probe list of the largest permitted size is read again: unchanged, it
// costs little more than the list in use; wholly changed, no more than a second
// list. Memory returns to where it was.
func TestReloadMemory(t *testing.T) {
	const entries = 1 << 20
	path := filepath.Join(t.TempDir(), "list.txt")
	write := func(seed uint64) {
		t.Helper()
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		buffered := bufio.NewWriter(file)
		for r, i := rand.New(rand.NewPCG(seed, 0)), 0; i < entries; i++ {
			fmt.Fprintf(buffered, "2001:db8:%x:%x::%x\n", r.Uint32N(1<<16), r.Uint32N(1<<16), r.Uint32N(1<<16))
		}
		if err := buffered.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	a := startAgent(t, "--names", "off", "--do-not-probe", path)
	steady, _ := a.memory(t)
	for i, limit := range []float64{1.5, 1.5, 2} {
		if limit == 2 {
			write(2)
		}
		if err := a.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		a.awaitLog(t, "configuration reloaded")
		now, peak := a.memory(t)
		if float64(peak) > limit*float64(steady) || float64(now) > 1.5*float64(steady) {
			t.Errorf("reload %d: %d KiB, peak %d KiB; at the start %d KiB", i+1, now, peak, steady)
		}
	}
	if steady > 100<<10 {
		t.Errorf("%d KiB resident with %d entries, want at most 100 MiB", steady, entries)
	}
}

// The heap is limited to what the control group grants, unless GOMEMLIMIT is
// set.
func TestMemoryLimit(t *testing.T) {
	fromGroup := int64(math.MaxInt64)
	if limit, ok := cgroup.MemoryLimit(os.DirFS("/")); ok {
		fromGroup = limit / 100 * heapPercent
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
