package rounds

import (
	"io"
	"maps"
	"slices"

	"probe-agent/internal/text"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// tables shows a table of each target, of all rounds together. On a terminal they
// grow as answers come.
type tables struct {
	view    *text.View
	spec    traceroute.Spec
	follow  bool
	targets []table
}

// table is what is shown of a target.
type table struct {
	target   string
	hops     map[uint8]traceroute.Hop // of the first round, while it lasts
	followed *text.Followed
	lines    []text.Line // of the last round with a result
	failure  string      // of the last round; empty: none
}

// Tables returns a form of tables on w: with follow of all rounds together, else
// of the only one.
func Tables(w io.Writer, request service.Request, follow bool) Form {
	t := &tables{view: text.NewView(w, len(request.Targets)), spec: request.Spec, follow: follow}
	for i, target := range request.Targets {
		t.targets = append(t.targets, table{target: target, hops: make(map[uint8]traceroute.Hop), followed: text.NewFollowed(target)})
		t.view.Update(i, text.Waiting(target))
	}
	return t
}

// live: tables are shown as their traces end, not when all have.
func (*tables) live() bool { return true }

func (t *tables) events(round int, events []service.Event) error {
	grown := make(map[int]bool)
	for _, e := range events {
		switch {
		case e.Kind == service.Done:
			delete(grown, e.Trace)
			t.done(round, e)
		case e.Kind == service.Hop && round == 1:
			t.targets[e.Trace].hops[e.Hop.TTL] = e.Hop
			grown[e.Trace] = true
		}
	}
	for i := range grown {
		t.view.Update(i, t.targets[i].running(t.spec))
	}
	return t.view.Err()
}

// running renders a table that grows.
func (t *table) running(spec traceroute.Spec) []text.Line {
	var hops []traceroute.Hop
	for _, ttl := range slices.Sorted(maps.Keys(t.hops)) {
		if hop := t.hops[ttl]; hop.Sent > 0 { // else it is beyond the end of the path
			hops = append(hops, hop)
		}
	}
	return text.Running(t.target, spec, hops)
}

// done shows what came of a trace.
func (t *tables) done(round int, e service.Event) {
	target := &t.targets[e.Trace]
	f := e.Outcome.Failure
	if f != nil && interrupted(f) && round > 1 {
		return // the round does not count
	}
	target.failure = ""
	switch {
	case f != nil:
		target.failure = reason(f)
	case t.follow:
		target.followed.Add(e.Outcome.Result)
		target.lines = target.followed.Table(e.Notes)
		t.view.Update(e.Trace, target.lines)
	default:
		target.lines = text.Table(target.target, e.Outcome.Result, e.Notes)
	}
	if !t.follow {
		t.finish(e.Trace)
	}
}

func (t *tables) end(int, *service.Run, []traceroute.Outcome) error { return t.view.Err() }

func (t *tables) close() error {
	for i := range t.targets {
		if t.follow {
			t.finish(i)
		}
	}
	return t.view.Err()
}

// finish shows the table of a target as it will stay.
func (t *tables) finish(i int) {
	target := &t.targets[i]
	if target.failure != "" {
		t.view.Abandon(i, target.target, target.failure)
		return
	}
	t.view.Finish(i, target.lines)
}
