package main

import (
	"context"
	"os/signal"
	"syscall"
	"time"

	"probe-agent/internal/agent"
	"probe-agent/internal/rounds"
	"probe-agent/internal/settings"
	"probe-agent/service"
	"probe-agent/traceroute"
)

type traceCommand struct{ settings.Trace }

// Help is the long description.
func (*traceCommand) Help() string {
	return "On a terminal tables grow as answers come, in colours unless NO_COLOR is set; on a pipe each is printed when it is final, " +
		"as plain lines.\n\n" +
		"Exit code: 0 every target was reached, 1 some target was not, 2 error. With --follow the last round counts."
}

// Run traces all targets at once, round after round.
func (c *traceCommand) Run(t terminal) error {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	traces, closeAll, err := agent.OpenTracer(ctx, &c.Trace)
	if err != nil {
		return err
	}
	defer closeAll()
	config := rounds.Config{
		Service:  traces,
		Request:  service.Request{Targets: c.Targets, Spec: c.Spec()},
		Rounds:   c.MaxRounds(),
		Interval: time.Duration(c.Interval) * time.Second,
	}
	outcomes, err := rounds.Trace(ctx, config, c.form(t, config.Request))
	if err != nil {
		return err
	}
	return exitStatusOf(outcomes)
}

// form returns how the rounds are shown.
func (c *traceCommand) form(t terminal, request service.Request) rounds.Form {
	switch {
	case c.JSON:
		return rounds.JSON(t.out)
	case c.CSV:
		return rounds.CSV(t.out, t.err)
	}
	return rounds.Tables(t.out, request, c.Follow)
}

// exitStatusOf returns the exit status for the outcomes of a round, of which the
// worst counts; nil when every target was reached.
func exitStatusOf(outcomes []traceroute.Outcome) error {
	code := exitOK
	for _, outcome := range outcomes {
		switch {
		case outcome.Failure != nil:
			code = exitError
		case outcome.Result.Stop != traceroute.Reached:
			code = max(code, exitPartial)
		}
	}
	if code == exitOK {
		return nil
	}
	return exitStatus(code)
}
