package main

import (
	"os"
	"runtime/debug"
)

const (
	// gcPercent is Go's GOGC for a daemon whose traces come and go: its live heap
	// is small, and collecting it each time it has doubled cost a twentieth of the
	// agent's CPU at full rate.
	gcPercent = 300
	// loadingGCPercent is GOGC while files are loaded, which leaves megabytes of
	// garbage beside two versions of what is loaded.
	loadingGCPercent = 10
)

// setMemory adjusts the garbage collector to the daemon, unless the environment
// says how it is to work.
func setMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
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
