package prober

import (
	"context"
	"fmt"
	"time"
)

// await returns when all traces have finished, or ctx ends. It sends their
// Updates meanwhile, and allocates the flows that they ask for.
func (e *Engine) await(ctx context.Context, traces []*trace) error {
	pace := newUpdatePace(traces[0].changes)
	defer pace.stop()
	for {
		select {
		case <-traces[0].news:
			if e.finished(traces) {
				return nil
			}
			for _, t := range traces {
				if err := e.extend(ctx, t); err != nil {
					return err
				}
			}
		case <-pace.news:
			pace.wait()
		case <-pace.due:
			e.update(traces)
			pace.ready()
		case <-ctx.Done():
			return fmt.Errorf("prober: trace of %v cut short: %w", traces[0].lease.Target, ctx.Err())
		}
	}
}

func (e *Engine) finished(traces []*trace) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range traces {
		if !t.finished {
			return false
		}
	}
	return true
}

// updatePace says when the next Update may be sent: when something has changed,
// updateEvery after the Update before. Without changes it sets no timer.
type updatePace struct {
	changed <-chan struct{}  // nil: no Update is wanted
	news    <-chan struct{}  // changed, or nil while the timer runs
	due     <-chan time.Time // the timer's; nil when there is none
	timer   *time.Timer
	next    time.Time // earliest
}

func newUpdatePace(c *changes) *updatePace {
	p := &updatePace{}
	if c != nil && c.feed.Updates != nil {
		p.changed, p.news = c.news, c.news
		p.next = time.Now().Add(updateEvery)
	}
	return p
}

// wait sets the timer for the next Update.
func (p *updatePace) wait() {
	p.news = nil
	rest := max(0, time.Until(p.next))
	if p.timer == nil {
		p.timer = time.NewTimer(rest)
		p.due = p.timer.C
		return
	}
	p.timer.Reset(rest)
}

// ready looks out for changes again, after an Update.
func (p *updatePace) ready() {
	p.news = p.changed
	p.next = time.Now().Add(updateEvery)
}

func (p *updatePace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
