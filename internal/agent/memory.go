package agent

import (
	"log/slog"
	"os"
	"runtime/debug"

	"probe-agent/internal/cgroup"
)

const (
	// gcPercent is Go's GOGC for a daemon whose traces come and go: its live heap
	// is small, and collecting it each time it has doubled cost a twentieth of the
	// agent's CPU at full rate.
	gcPercent = 300
	// loadingGCPercent is GOGC while files are loaded, which leaves megabytes of
	// garbage beside two versions of what is loaded.
	loadingGCPercent = 10
	// heapPercent is how much of the memory of its control group Go's heap and
	// stacks may take. The rest is for the program itself and for what the kernel
	// keeps in socket buffers.
	heapPercent = 90
)

// setMemory adjusts the garbage collector to the daemon, unless the environment
// says how it is to work.
func setMemory(log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := cgroup.MemoryLimit(os.DirFS("/")); ok {
		heap := limit / 100 * heapPercent
		debug.SetMemoryLimit(heap)
		log.Debug("memory limit", "control_group", limit, "heap", heap)
	}
}

// loading calls load, which reads the files that settings name, and keeps the
// heap small meanwhile. What load leaves is returned to the system at once, as
// the next load may be weeks away.
func loading(load func() error) error {
	usual := debug.SetGCPercent(loadingGCPercent)
	defer func() {
		debug.SetGCPercent(usual)
		debug.FreeOSMemory()
	}()
	return load()
}
