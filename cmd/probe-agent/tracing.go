package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"probe-agent/api"
	"probe-agent/api/envelope"
	"probe-agent/internal/text"
	"probe-agent/traceroute"
)

// tracing is a run of the trace subcommand.
type tracing struct {
	command *traceCommand
	colo    api.Colo
	names   api.Annotator
}

// outcome is what one round came to for one target.
type outcome struct {
	result *traceroute.Result // nil on failure
	err    error
}

// code returns the exit code that the outcome stands for.
func (o outcome) code() int {
	switch {
	case o.err != nil:
		return exitError
	case o.result.Stop != traceroute.Reached:
		return exitPartial
	}
	return exitOK
}

// rounds calls round, with its number, until all are through or ctx ends: once,
// or as --follow says.
func (t *tracing) rounds(ctx context.Context, round func(number int) error) error {
	most := t.command.MaxRounds()
	tick := time.NewTicker(time.Duration(t.command.Interval) * time.Second)
	defer tick.Stop()
	for number := 1; ; number++ {
		if err := round(number); err != nil {
			return err
		}
		if number == most {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// trace traces one target once. progress may be nil.
func (t *tracing) trace(ctx context.Context, target string, progress func(*traceroute.Result)) outcome {
	checked, err := t.command.options().Spec()
	if err != nil {
		return outcome{err: err}
	}
	spec := api.Spec{Spec: checked, Progress: progress}
	spec.Heard = func(from netip.Addr, _ uint8) { t.names.Prefetch(from) }
	result, err := t.colo.Trace(ctx, target, spec)
	return outcome{result, err}
}

// notes are what is known of everybody who answered.
func (t *tracing) notes(ctx context.Context, r *traceroute.Result) traceroute.Notes {
	notes := make(traceroute.Notes)
	for addr, a := range t.names.Annotate(ctx, responders(r)) {
		notes[addr] = traceroute.Note{Name: a.Name, ASN: traceroute.ASN(a.ASN)}
	}
	return notes
}

// printTables traces the targets and shows a table of each.
func (t *tracing) printTables(ctx context.Context, to terminal) (code int, err error) {
	targets := t.command.Targets
	view := text.NewView(to.out, len(targets))
	codes := make([]int, len(targets))
	var running sync.WaitGroup
	for i, target := range targets {
		running.Go(func() { codes[i] = t.showTable(ctx, view, i, target) })
	}
	running.Wait()
	return slices.Max(codes), view.Err()
}

// showTable traces a target, round after round, and returns the exit code that
// the last one stands for.
func (t *tracing) showTable(ctx context.Context, view *text.View, i int, target string) (code int) {
	view.Update(i, []text.Line{{{Text: target + ": …"}}})
	followed := text.NewFollowed(target)
	var table []text.Line
	failure := ""
	_ = t.rounds(ctx, func(number int) error {
		var progress func(*traceroute.Result)
		if number == 1 {
			progress = func(r *traceroute.Result) { view.Update(i, text.Table(target, r, nil)) }
		}
		o := t.trace(ctx, target, progress)
		if ctx.Err() != nil && number > 1 {
			return nil // the rounds before it are what was asked for
		}
		code = o.code()
		if o.err != nil {
			failure = reason(ctx, o.err)
			return view.Err() // the failure is shown; the next round may go better
		}
		followed.Add(o.result)
		notes := t.notes(ctx, o.result)
		failure, table = "", text.Table(target, o.result, notes)
		if t.command.Follow {
			table = followed.Table(notes)
		}
		view.Update(i, table)
		return view.Err()
	})
	if failure != "" {
		view.Abandon(i, target, failure)
	} else {
		view.Finish(i, table)
	}
	return code
}

// printCSV traces the targets at once and prints each round's rows in the order
// of the targets. What fails is told on standard error.
func (t *tracing) printCSV(ctx context.Context, to terminal) (code int, err error) {
	rows := text.NewCSV(to.out)
	targets := t.command.Targets
	err = t.rounds(ctx, func(number int) error {
		outcomes := make([]outcome, len(targets))
		var running sync.WaitGroup
		for i, target := range targets {
			running.Go(func() { outcomes[i] = t.trace(ctx, target, nil) })
		}
		running.Wait()
		if ctx.Err() != nil && number > 1 {
			return nil
		}
		code = exitOK
		for i, o := range outcomes {
			code = max(code, o.code())
			if o.err != nil {
				fmt.Fprintf(to.err, "%s: %s\n", targets[i], reason(ctx, o.err))
				continue
			}
			if err := rows.Trace(number, targets[i], o.result, t.notes(ctx, o.result)); err != nil {
				return err
			}
		}
		return nil
	})
	return code, err
}

// printJSON has the API's service do it all and prints the envelope.
func (t *tracing) printJSON(ctx context.Context, to terminal) (code int, err error) {
	colo := &endingsColo{Colo: t.colo}
	service, err := api.New(api.Config{Colos: []api.Colo{colo}, Annotator: t.names})
	if err != nil {
		return exitError, err
	}
	encoder := json.NewEncoder(to.out)
	encoder.SetEscapeHTML(false)
	err = t.rounds(ctx, func(number int) error {
		response, err := service.Run(ctx, api.Request{Targets: t.command.Targets, Options: t.command.options()})
		if ctx.Err() != nil && number > 1 {
			return nil
		}
		if refused, ok := errors.AsType[*envelope.Error](err); ok {
			response = &api.Response{Errors: refused.Errors, Messages: []envelope.Message{}}
		} else if err != nil {
			return err
		}
		code = codeOf(response, colo.take())
		if err := encoder.Encode(response); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	})
	return code, err
}

// endingsColo is a colo that notes how its traces end: the answer of the API
// has the packets that the target answered, but not whether it was reached.
type endingsColo struct {
	api.Colo
	mu   sync.Mutex
	code int // exit code for the worst trace so far
}

// Trace implements api.Colo.
func (c *endingsColo) Trace(ctx context.Context, target string, spec api.Spec) (*traceroute.Result, error) {
	result, err := c.Colo.Trace(ctx, target, spec)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code = max(c.code, outcome{result, err}.code())
	return result, err //nolint:wrapcheck // it is the colo's own
}

// take returns the exit code for the traces since the last call.
func (c *endingsColo) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	code := c.code
	c.code = exitOK
	return code
}

// codeOf returns the exit code for an answer of the API, given that for the
// traces in it.
func codeOf(response *api.Response, traces int) int {
	if !response.Success {
		return exitError
	}
	for _, target := range response.Result {
		for _, colo := range target.Colos {
			if colo.Error != "" {
				return exitError
			}
		}
	}
	return traces
}

// responders returns every address that answered, each once.
func responders(r *traceroute.Result) []netip.Addr {
	var addrs []netip.Addr
	for _, p := range r.Probes {
		if p.Answer != nil && !slices.Contains(addrs, p.Answer.From) {
			addrs = append(addrs, p.Answer.From)
		}
	}
	return addrs
}

// reason is the error of a trace in words.
func reason(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "interrupted"
	}
	if failure, ok := errors.AsType[*api.Failure](err); ok {
		return failure.Reason
	}
	return err.Error()
}
