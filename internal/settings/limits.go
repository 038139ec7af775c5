package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"probe-agent/api"
	"probe-agent/api/v1"
	"probe-agent/quota"
)

// LimitFlags say how much may be asked.
type LimitFlags struct {
	RequestRate       requestRate     `protects:"limit" reload:"" default:"6000" placeholder:"N[/TIME]" help:"Most requests of one token within any time of that length, a minute if none is given (${default}). 0 lifts the limit." more:"For example 100/10s. Without credentials everybody is one token."`
	MaxTraces         traceLimit      `protects:"limit" reload:"" default:"1024" placeholder:"N" help:"Most traces under way, one target from one colo each (${default}). 0 lifts the limit."`
	MaxTracesPerToken traceLimit      `protects:"limit" reload:"" default:"512" placeholder:"N" help:"Most traces under way for one token (${default}). 0 lifts the limit."`
	Queue             queueLimit      `protects:"limit" reload:"" default:"1024" placeholder:"N" help:"Most requests that wait for their first trace (${default}); further ones are answered with 503."`
	QueuePerAccount   queueLimit      `protects:"limit" reload:"" default:"256" placeholder:"N" help:"Most requests of one account that wait (${default})." more:"Accounts take turns."`
	QueueWait         queueWait       `protects:"no" reload:"" default:"10s" placeholder:"TIME" help:"Longest that a request waits, up to 20s (${default})."`
	MaxConnections    connectionLimit `protects:"limit" default:"4096" placeholder:"N" help:"Most connections open at once (${default}), fewer where the limit of file descriptors is low. At the limit, the longest-idle connection is closed."`
	KeepTraces        keptTraces      `protects:"maximum" reload:"" default:"1000" placeholder:"N" help:"Most requests of traces kept after they have ended, to be read again (${default}). 0 keeps none." more:"The native API has them at /v1/traces/ID. At a limit, the oldest ones go of the account whose traces take most."`
	KeepMemory        keptMemory      `protects:"maximum" reload:"" default:"16MiB" placeholder:"SIZE" help:"Most memory for the traces that are kept, up to 1GiB (${default})."`
	KeepTime          keptTime        `protects:"maximum" reload:"" default:"15m" placeholder:"TIME" help:"How long traces are kept, up to 24h (${default})."`
}

// Limits returns what the flags say of requests and traces.
func (f *LimitFlags) Limits() quota.Limits {
	return quota.Limits{
		Requests: f.RequestRate.requests, Window: f.RequestRate.window,
		Traces: int(f.MaxTraces), TracesPerToken: int(f.MaxTracesPerToken),
		Queue: int(f.Queue), QueuePerAccount: int(f.QueuePerAccount), Wait: time.Duration(f.QueueWait),
	}
}

// Kept returns what the flags say of traces that have ended.
func (f *LimitFlags) Kept() v1.Limits {
	return v1.Limits{Traces: int(f.KeepTraces), Bytes: int64(f.KeepMemory), Age: time.Duration(f.KeepTime)}
}

// Upper limits of what is kept.
const (
	maxKeptTraces = 100_000
	maxKeptMemory = 1 << 30
	maxKeptTime   = 24 * time.Hour
)

type (
	requestRate struct {
		requests int
		window   time.Duration
	}
	traceLimit      int
	queueLimit      int
	connectionLimit int
	queueWait       time.Duration
	keptTraces      int
	keptMemory      int64 // bytes
	keptTime        time.Duration
)

func (v *requestRate) UnmarshalText(text []byte) error {
	number, window, given := strings.Cut(string(text), "/")
	rate := requestRate{window: quota.DefaultWindow}
	if given {
		var err error
		if rate.window, err = time.ParseDuration(window); err != nil {
			return fmt.Errorf("%q does not end in a time like 60s", text)
		}
	}
	if err := bounded(&rate.requests, []byte(number), 0, quota.MaxRequests); err != nil {
		return err
	}
	l := quota.Default()
	l.Requests, l.Window = rate.requests, rate.window
	if err := l.Check(); err != nil {
		return err
	}
	*v = rate
	return nil
}

// limit returns the requests per second; 0: no limit.
func (v requestRate) limit() float64 { return float64(v.requests) / v.window.Seconds() }

func (v *traceLimit) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 0, quota.MaxTraces)
}

func (v *queueLimit) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, quota.MaxQueue)
}

func (v *connectionLimit) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, api.MaxConnections)
}

func (v *queueWait) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 || d > quota.MaxWait {
		return fmt.Errorf("%q is not a time above 0s and up to %v", text, quota.MaxWait)
	}
	*v = queueWait(d)
	return nil
}

func (v *keptTraces) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 0, maxKeptTraces)
}

func (v *keptMemory) UnmarshalText(text []byte) error {
	number, shift := string(text), 0
	for unit, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if bare, ok := strings.CutSuffix(number, unit); ok {
			number, shift = bare, bits
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || n<<shift > maxKeptMemory {
		return fmt.Errorf("%q is not a size from 0 to 1GiB, such as 16MiB", text)
	}
	*v = keptMemory(n << shift)
	return nil
}

func (v *keptTime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > maxKeptTime {
		return fmt.Errorf("%q is not a time from 0s to %v", text, maxKeptTime)
	}
	*v = keptTime(d)
	return nil
}
