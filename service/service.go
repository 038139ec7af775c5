// Package service runs jobs: it checks requests, admits them within the limits,
// has colos trace, and hands out what happens.
//
// A [Request] is checked once, into a [Job]. [Service.Start] waits for the
// admission that its ticket stands for, and returns a [Run], which traces on its
// own. A run can be waited for ([Run.Wait]) and followed while it lasts
// ([Run.Subscribe]), by any number of readers, however slow: they read its
// latest state, not its history.
//
// A [Colo] is a place that traces. Colos take part through a [Roster] and may
// come and go while traces are under way.
package service

import (
	"context"
	"errors"
	"time"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

const (
	// Deadline is how long the traces of one run may take together, admission
	// included; a colo that is not done by then has failed with
	// traceroute.TimedOut. The slowest legal trace needs some seconds, while
	// Cloudflare's SDKs give up after 60 s and send the request again. What is
	// between covers the reading of the request before, and annotation and
	// writing behind.
	Deadline = 45 * time.Second

	// AnnotateTimeout is how long traces that have ended wait for names and AS
	// numbers.
	AnnotateTimeout = 2 * time.Second
)

// The failures of traces that were under way when their run ended.
var (
	errDeadline = &traceroute.Failure{Code: traceroute.TimedOut, Reason: "did not answer in time"}
	errCut      = &traceroute.Failure{Code: traceroute.TimedOut, Reason: "cut short: the agent is shutting down", Err: quota.ErrShuttingDown}
	errLeft     = &traceroute.Failure{Code: traceroute.TimedOut, Reason: "left while the trace was under way"}
	// ErrCancelled is what traces have failed with that Run.Cancel has ended.
	ErrCancelled = &traceroute.Failure{Code: traceroute.TimedOut, Reason: "cancelled"}
)

// Config is what a Service works with.
type Config struct {
	Roster    *Roster
	Annotator Annotator // nil: nothing is known of any address
}

// Service runs jobs. It is safe for concurrent use.
type Service struct {
	roster    *Roster
	annotator Annotator
	life      context.Context // ends when runs are cut
	cut       context.CancelFunc
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{roster: c.Roster, annotator: c.Annotator}
	s.life, s.cut = context.WithCancel(context.Background())
	return s
}

// Colos returns the colos that take part now.
func (s *Service) Colos() []traceroute.Colo { return s.roster.Colos() }

// Cut ends all runs under way with what they have: their other traces fail with
// traceroute.TimedOut. What waits for admission, or starts later, is refused
// with quota.ErrShuttingDown.
func (s *Service) Cut() { s.cut() }

// Start admits the job, which may take as long as quota.Limits.Wait, and starts
// tracing. The ticket gives its grants back as traces end; closing it is for the
// caller, once the Run is done. It must not be nil: quota.Unlimited is for
// callers that no limit applies to.
//
// The Run goes on until its traces have ended, Deadline is over, ctx ends, or it
// is cancelled or cut. The error is that of the ticket, a *quota.Error if the
// job was refused, or matches the cause of the end of ctx.
func (s *Service) Start(ctx context.Context, job *Job, ticket *quota.Ticket) (*Run, error) {
	if ticket == nil {
		return nil, errors.New("service: job without a ticket")
	}
	if s.life.Err() != nil {
		return nil, &quota.Error{Reason: quota.ErrShuttingDown}
	}
	r := newRun(ctx, s, job, ticket)
	limited, stop := context.WithTimeoutCause(r.ctx, Deadline, errDeadline)
	if err := ticket.Wait(limited, len(r.traces)); err != nil {
		stop()
		return nil, r.refused(err)
	}
	go func() {
		defer stop()
		r.supervise(limited)
	}()
	return r, nil
}
