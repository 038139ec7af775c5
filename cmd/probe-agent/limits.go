package main

import (
	"fmt"
	"strings"
	"time"

	"probe-agent/api"
	"probe-agent/quota"
)

// limitFlags say how much may be asked.
type limitFlags struct {
	RequestRate       requestRate     `reload:"" default:"6000" placeholder:"N[/TIME]" help:"Most requests of one token within any time of that length, a minute if none is given (${default}). 0 lifts the limit."`
	MaxTraces         traceLimit      `reload:"" default:"1024" placeholder:"N" help:"Most traces under way, one target from one colo each (${default}). 0 lifts the limit."`
	MaxTracesPerToken traceLimit      `reload:"" default:"512" placeholder:"N" help:"Most traces under way for one token (${default}). 0 lifts the limit."`
	Queue             queueLimit      `reload:"" default:"1024" placeholder:"N" help:"Most requests that wait for their first trace (${default}); further ones are answered with 503."`
	QueuePerAccount   queueLimit      `reload:"" default:"256" placeholder:"N" help:"Most requests of one account that wait (${default})."`
	MaxConnections    connectionLimit `default:"4096" placeholder:"N" help:"Most connections open at once (${default}), fewer where the limit of file descriptors is low. One more closes the one that has been without a request for longest."`
	QueueWait         queueWait       `reload:"" default:"10s" placeholder:"TIME" help:"Longest that a request waits, up to 20s (${default})."`
}

// connectionLimit is how many connections may be open.
type connectionLimit int

func (v *connectionLimit) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, api.MaxConnections)
}

// limits returns what the flags say.
func (f *limitFlags) limits() quota.Limits {
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
	traceLimit int
	queueLimit int
	queueWait  time.Duration
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

func (v *traceLimit) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 0, quota.MaxTraces)
}

func (v *queueLimit) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, quota.MaxQueue)
}

func (v *queueWait) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 || d > quota.MaxWait {
		return fmt.Errorf("%q is not a time above 0s and up to %v", text, quota.MaxWait)
	}
	*v = queueWait(d)
	return nil
}
