package settings

import (
	"fmt"
	"strings"
	"time"

	"probe-agent/api"
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
}

// Limits returns what the flags say of requests and traces.
func (f *LimitFlags) Limits() quota.Limits {
	return quota.Limits{
		Requests: f.RequestRate.requests, Window: f.RequestRate.window,
		Traces: int(f.MaxTraces), TracesPerToken: int(f.MaxTracesPerToken),
		Queue: int(f.Queue), QueuePerAccount: int(f.QueuePerAccount), Wait: time.Duration(f.QueueWait),
	}
}

type (
	requestRate struct {
		requests int
		window   time.Duration
	}
	traceLimit      int
	queueLimit      int
	connectionLimit int
	queueWait       time.Duration
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
