package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"probe-agent/traceroute"
)

// Colo is a place that traces: this process or another one.
type Colo interface {
	// Info names the colo; see CheckColoName. The name never changes.
	Info() traceroute.Colo
	// Trace traces all targets of the batch at once and sends what happens to
	// events: exactly one Outcome for each target, last. It waits for the
	// receiver, which receives until Trace has returned; it sends nothing
	// afterwards and does not close the channel. It returns soon after ctx ends.
	//
	// The error is not about a target but about the colo. One that is a
	// *traceroute.Failure is what the targets without an Outcome have failed
	// with; a *panics.Error ends the whole run; any other means
	// traceroute.Unsent. Safe for concurrent use.
	Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error
}

// CheckColoName returns nil for a name that a colo may have: 1 to 32 ASCII
// letters, digits and hyphens, starting with a letter. It appears in HTTP
// headers.
func CheckColoName(name string) error {
	letter := func(c rune) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	invalid := func(c rune) bool { return !letter(c) && (c < '0' || c > '9') && c != '-' }
	if name == "" || len(name) > 32 || !letter(rune(name[0])) || strings.ContainsFunc(name, invalid) {
		return fmt.Errorf("service: colo name %q must be 1 to 32 letters, digits and hyphens, starting with a letter", name)
	}
	return nil
}

// Roster is the colos that take part. They may come and go at any time. All
// methods are safe for concurrent use.
type Roster struct {
	mu      sync.Mutex
	members []*member // replaced as a whole by every change
}

// member is a colo from Add to Remove.
type member struct {
	colo  Colo
	info  traceroute.Colo
	stay  context.Context // ends when the colo is removed
	leave context.CancelFunc
}

// NewRoster returns a Roster of these colos. The error is that of Add.
func NewRoster(colos ...Colo) (*Roster, error) {
	r := new(Roster)
	for _, colo := range colos {
		if err := r.Add(colo); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Add makes a colo part of every job that is checked from now on. It returns an
// error when its name is invalid or another colo has it; case does not matter.
func (r *Roster) Add(colo Colo) error {
	m := &member{colo: colo, info: colo.Info()}
	if err := CheckColoName(m.info.Name); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.members {
		if strings.EqualFold(other.info.Name, m.info.Name) {
			return fmt.Errorf("service: two colos are named %s", m.info.Name)
		}
	}
	m.stay, m.leave = context.WithCancel(context.Background())
	r.members = append(slices.Clip(r.members), m)
	return nil
}

// Remove ends the part of the colo of that name and reports whether there was
// one. Its traces under way fail at once with traceroute.TimedOut; those that it
// has finished stay.
func (r *Roster) Remove(name string) bool {
	r.mu.Lock()
	var removed *member
	var rest []*member
	for _, m := range r.members {
		if strings.EqualFold(m.info.Name, name) {
			removed = m
		} else {
			rest = append(rest, m)
		}
	}
	r.members = rest
	r.mu.Unlock()
	if removed == nil {
		return false
	}
	removed.leave()
	return true
}

// Colos returns the colos that take part now, in the order of Add.
func (r *Roster) Colos() []traceroute.Colo {
	members := r.snapshot()
	colos := make([]traceroute.Colo, len(members))
	for i, m := range members {
		colos[i] = m.info
	}
	return colos
}

func (r *Roster) snapshot() []*member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members
}

// choose returns the members that names select, each once, in the order of the
// names; one name that selects several has them in the order of Add. No names
// select all. A name selects the colo that has it, or those that have it in
// front of their final digits; case does not matter.
func (r *Roster) choose(names []string) ([]*member, []Problem) {
	all := r.snapshot()
	if len(names) == 0 {
		if len(all) == 0 {
			return nil, []Problem{{Pointer: "/colos", Kind: InvalidColo, Message: "no colo is available"}}
		}
		return all, nil
	}
	var chosen []*member
	var problems []Problem
	taken := make([]bool, len(all))
	for i, name := range names {
		found := false
		for j, m := range all {
			full := m.info.Name
			if !strings.EqualFold(name, full) && !strings.EqualFold(name, strings.TrimRight(full, "0123456789")) {
				continue
			}
			found = true
			if !taken[j] {
				taken[j] = true
				chosen = append(chosen, m)
			}
		}
		if !found {
			problems = append(problems, Problem{Pointer: fmt.Sprintf("/colos/%d", i), Kind: InvalidColo, Message: "Colo is not a valid colo"})
		}
	}
	return chosen, problems
}
