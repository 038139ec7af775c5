package api

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/quota"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// A run is what came of one request, before it takes any form.
type run struct {
	traces []coloTrace // by target, then colo, in the order asked
	colos  int         // how many traces each target has
	took   time.Duration
}

// coloTrace is what came of tracing one target from one colo.
type coloTrace struct {
	target  string
	colo    Colo
	result  *traceroute.Result // nil on failure
	summary traceroute.Summary
	failure *Failure // nil on success
	took    time.Duration
}

// A watcher is told how the traces of a run get on. What is about one trace is
// called from its own goroutine, several at once, and the trace waits for it.
// A trace is named by its place in run.traces.
type watcher interface {
	// planned gets the traces before any of them begins.
	planned(traces []coloTrace)
	// progress gets the result so far, which it must not keep.
	progress(trace int, so *traceroute.Result)
	// done gets what came of the trace. No progress of it follows.
	done(trace int, t coloTrace)
}

// run is Run without the rendering. The watcher may be nil.
func (s *Service) run(ctx context.Context, req Request, w watcher) (*run, error) {
	started := time.Now()
	var wrong envelope.Problems
	checked, colos := s.check(req, &wrong)
	spec := Spec{Spec: checked}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	if s.annotator != nil {
		spec.Heard = func(from netip.Addr, _ uint8) { s.annotator.Prefetch(from) }
	}
	r := &run{traces: plan(req.Targets, colos), colos: len(colos)}
	limited, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	visit := visitOf(ctx)
	if err := visit.Wait(limited, len(r.traces)); err != nil {
		if wasCut(ctx) {
			return nil, notAdmitted(&quota.Error{Reason: quota.ErrShuttingDown})
		}
		return nil, notAdmitted(err)
	}
	if w != nil {
		w.planned(r.traces)
	}
	traceAll(limited, r.traces, spec, visit, w)
	if err := ctx.Err(); err != nil && !wasCut(ctx) {
		return nil, fmt.Errorf("api: request abandoned: %w", err)
	}
	r.took = time.Since(started)
	return r, nil
}

// plan lists the traces to make.
func plan(targets []string, colos []Colo) []coloTrace {
	traces := make([]coloTrace, 0, len(targets)*len(colos))
	for _, target := range targets {
		for _, colo := range colos {
			traces = append(traces, coloTrace{target: target, colo: colo})
		}
	}
	return traces
}

// coloPanic carries a panic from the goroutine that it happened in to Run's.
type coloPanic struct {
	value any
	stack []byte
}

func (p *coloPanic) String() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

// traceAll makes the traces, as many at once as the visit may.
func traceAll(ctx context.Context, traces []coloTrace, spec Spec, visit *quota.Ticket, w watcher) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		running  sync.WaitGroup
		panicked atomic.Pointer[coloPanic]
	)
	for i := range traces {
		running.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panicked.CompareAndSwap(nil, &coloPanic{v, debug.Stack()})
					cancel()
				}
			}()
			spec := spec
			if w != nil {
				spec.Progress = func(so *traceroute.Result) { w.progress(i, so) }
			}
			traces[i].make(ctx, spec, visit)
			if w != nil && panicked.Load() == nil { // else it is the panic that ended it
				w.done(i, traces[i])
			}
		})
	}
	running.Wait()
	if p := panicked.Load(); p != nil {
		panic(p)
	}
}

// make fills in what comes of the trace.
func (t *coloTrace) make(ctx context.Context, spec Spec, visit *quota.Ticket) {
	started := time.Now()
	if err := visit.Begin(ctx); err != nil {
		t.failure, t.took = failureOf(ctx, err), time.Since(started)
		return
	}
	defer visit.End()
	started = time.Now()
	result, err := t.colo.Trace(ctx, t.target, spec)
	if err != nil {
		t.failure, t.took = failureOf(ctx, err), time.Since(started)
		return
	}
	t.result, t.summary, t.took = result, stats.Summarize(result), result.Duration
}

// annotate looks up every address that the traces show, each once.
func (s *Service) annotate(ctx context.Context, traces ...coloTrace) traceroute.Notes {
	if s.annotator == nil {
		return nil
	}
	var addrs []netip.Addr
	seen := make(map[netip.Addr]bool)
	see := func(addr netip.Addr) {
		if addr.IsValid() && !seen[addr] {
			seen[addr] = true
			addrs = append(addrs, addr)
		}
	}
	for _, t := range traces {
		if t.result == nil {
			continue
		}
		see(t.result.Spec.Target)
		for _, hop := range t.summary.Hops {
			for _, node := range hop.Nodes {
				see(node.Addr)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, annotateTimeout)
	defer cancel()
	return notesOf(s.annotator.Annotate(ctx, addrs))
}

// notesOf returns what a look-up found as the model has it.
func notesOf(found map[netip.Addr]Annotation) traceroute.Notes {
	notes := make(traceroute.Notes, len(found))
	for addr, a := range found {
		notes[addr] = traceroute.Note{Name: a.Name, ASN: traceroute.ASN(a.ASN)}
	}
	return notes
}
