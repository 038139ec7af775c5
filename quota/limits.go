package quota

import (
	"fmt"
	"time"
)

// Limits of a Limiter.
type Limits struct {
	// Requests is how many a token may send within any Window; 0: no limit.
	Requests int
	Window   time.Duration
	// Traces may be under way at once, one target from one colo each, all
	// callers together and per token; 0: no limit.
	Traces, TracesPerToken int
	// Queue is how many requests may be inside that have no trace under way
	// yet, because they wait or because they are still being read; in all and
	// per account.
	Queue, QueuePerAccount int
	// Wait is the longest that a request waits for its first trace.
	Wait time.Duration
}

// Bounds of Limits.
const (
	MaxRequests = 10_000 // each one of a window is remembered, with 8 bytes
	MaxWindow   = time.Hour
	MaxTraces   = 1 << 20
	MaxQueue    = 1 << 16
	// MaxWait leaves a request that had to wait most of the time which clients
	// have patience for.
	MaxWait = 20 * time.Second
)

// Defaults for a host that has other things to do as well.
const (
	// DefaultRequests in DefaultWindow is no allotment between users but what
	// stops a loop gone wild: a hundred requests a second, which is about what
	// DefaultRate of package prober has probes for.
	DefaultRequests = 6000
	DefaultWindow   = time.Minute
	// DefaultTraces need some tens of megabytes.
	DefaultTraces         = 1024
	DefaultTracesPerToken = DefaultTraces / 2
	// DefaultQueue bounds what waiting requests hold, of which each may have a
	// body of 1 MiB for a moment.
	DefaultQueue           = 1024
	DefaultQueuePerAccount = DefaultQueue / 4
	DefaultWait            = 10 * time.Second
)

// Default returns the limits of an agent that was not told any.
func Default() Limits {
	return Limits{
		Requests: DefaultRequests, Window: DefaultWindow,
		Traces: DefaultTraces, TracesPerToken: DefaultTracesPerToken,
		Queue: DefaultQueue, QueuePerAccount: DefaultQueuePerAccount,
		Wait: DefaultWait,
	}
}

// Check returns an error that names the field and its range when a limit is
// out of it.
func (l Limits) Check() error {
	for _, field := range []struct {
		name             string
		value, low, high int
	}{
		{"requests", l.Requests, 0, MaxRequests},
		{"traces", l.Traces, 0, MaxTraces},
		{"traces per token", l.TracesPerToken, 0, MaxTraces},
		{"queue", l.Queue, 1, MaxQueue},
		{"queue per account", l.QueuePerAccount, 1, MaxQueue},
	} {
		if field.value < field.low || field.value > field.high {
			return fmt.Errorf("quota: %s %d are not in %d to %d", field.name, field.value, field.low, field.high)
		}
	}
	if l.Requests > 0 && (l.Window < time.Second || l.Window > MaxWindow || l.Window%time.Second != 0) {
		return fmt.Errorf("quota: window %v is not whole seconds from 1s to %v", l.Window, MaxWindow)
	}
	if l.Wait <= 0 || l.Wait > MaxWait {
		return fmt.Errorf("quota: wait %v is not above 0 and up to %v", l.Wait, MaxWait)
	}
	return nil
}
