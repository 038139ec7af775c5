package netsim

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Bounds that keep a scenario a network and an error a packet.
const (
	maxHops       = 255 // of one route, branches included
	minMTU        = 68  // RFC 791 section 3.1
	maxExtensions = 400 // bytes: leaves room for a quote of 128 in 576
	maxQueue      = 1 << 20
)

// Validate reports everything that is wrong with the scenario, nil if it is a
// network. Errors name the field as it would be written in YAML.
func (s *Scenario) Validate() error {
	var errs []error
	for _, p := range s.problems() {
		errs = append(errs, fmt.Errorf("netsim: %s: %s", p.field, p.reason))
	}
	return errors.Join(errs...)
}

type problem struct{ field, reason string }

// place is a field under examination. It is written out only when something
// is wrong with it, so that checking a right scenario is cheap.
type place struct {
	up    *place
	name  string
	index int // -1: none
	check *check
}

type check struct {
	family Family
	found  []problem
}

func (p *place) field(name string) *place {
	return &place{up: p, name: name, index: -1, check: p.check}
}

func (p *place) item(name string, i int) *place {
	return &place{up: p, name: name, index: i, check: p.check}
}

func (p *place) String() string {
	name := p.name
	if p.index >= 0 {
		name += "[" + strconv.Itoa(p.index) + "]"
	}
	if p.up == nil || p.up.String() == "" {
		return name
	}
	if strings.HasPrefix(name, "[") {
		return p.up.String() + name
	}
	return p.up.String() + "." + name
}

func (p *place) must(ok bool, format string, args ...any) {
	if !ok {
		p.check.found = append(p.check.found, problem{p.String(), fmt.Sprintf(format, args...)})
	}
}

func (s *Scenario) problems() []problem {
	c := &check{family: s.Family}
	root := &place{index: -1, check: c}
	s.Host.validate(root.field("host"))
	validateRoute(root, s.Hops)
	s.Target.validate(root.field("target"))
	var last time.Duration
	for i := range s.Changes {
		at := root.item("changes", i)
		at.must(s.Changes[i].At > last, "must be later than the one before")
		last = s.Changes[i].At
		validateRoute(at, s.Changes[i].Hops)
	}
	for i := range s.Guessers {
		s.Guessers[i].validate(root.item("guessers", i))
	}
	for i := range s.Expect {
		s.Expect[i].validate(root.item("expect", i))
	}
	return c.found
}

// full checks that an address has every family that the scenario carries.
func (a Address) full(p *place) {
	for _, ipv6 := range []bool{false, true} {
		if p.check.family.Carries(ipv6) && !a.For(ipv6).IsValid() {
			p.must(false, "%q has no %s address", a, map[bool]string{false: "IPv4", true: "IPv6"}[ipv6])
		}
	}
}

// fullIfSet is full for an address that may be absent.
func (a Address) fullIfSet(p *place) {
	if !a.IsZero() {
		a.full(p)
	}
}

func validateRoute(up *place, hops []Hop) {
	count := 0
	validateHops(up, "hops", hops, &count)
	up.field("hops").must(count <= maxHops, "%d hops: more than %d", count, maxHops)
}

func validateHops(up *place, name string, hops []Hop, count *int) {
	run := 0 // routers in a row, which a loop may go back over
	for i := range hops {
		p, hop := up.item(name, i), &hops[i]
		if hop.ECMP != nil {
			run = 0
			hop.validateSplit(p, count)
			continue
		}
		routers := max(1, hop.Count)
		*count += routers
		run += routers
		hop.validate(p, run)
	}
}

func (h *Hop) validateSplit(p *place, count *int) {
	bare := Hop{ECMP: h.ECMP}
	p.must(reflect.DeepEqual(bare, *h), "ecmp stands alone: it is no router")
	e := p.field("ecmp")
	e.must(len(h.ECMP.Branches) > 0, "no branches")
	for i := range h.ECMP.Branches {
		// A branch is a list in a list: its hops are written [i][j].
		validateHops(e.field("branches"), "["+strconv.Itoa(i)+"]", h.ECMP.Branches[i], count)
	}
}

func (h *Hop) validate(p *place, run int) {
	h.Node.validate(p)
	p.must(h.Count >= 0 && h.Count <= maxHops, "count %d is not 0 to %d", h.Count, maxHops)
	p.must(h.Count <= 1 || len(h.Addresses) <= 1, "a count above 1 allows one address, that of the first")
	p.must(h.MTU == 0 || h.MTU >= minMTU, "mtu %d is below %d", h.MTU, minMTU)
	p.must(h.Loop >= 0 && h.Loop <= run, "loop %d goes back over more than the %d routers in a row up to here", h.Loop, run)
	p.must(h.Loop == 0 || h.Count <= 1, "loop needs a count of 1")
	if h.Rewrite != nil {
		h.Rewrite.Source.fullIfSet(p.field("rewrite.source"))
		h.Rewrite.Destination.fullIfSet(p.field("rewrite.destination"))
	}
}

func (t *Target) validate(p *place) {
	t.Node.validate(p)
	p.must(len(t.Addresses) <= 1, "a target has one address; see also")
	t.From.fullIfSet(p.field("from"))
}

func (n *Node) validate(p *place) {
	for i, a := range n.Addresses {
		a.full(p.item("address", i))
	}
	p.must(n.Delay >= 0, "delay %v is negative", n.Delay)
	p.must(n.Jitter >= 0, "jitter %v is negative", n.Jitter)
	n.Loss.validate(p, "loss")
	n.ReplyLoss.validate(p, "reply_loss")
	n.ReturnLoss.validate(p, "return_loss")
	if r := n.RateLimit; r != nil {
		p.must(r.Rate >= 0, "rate_limit.rate %v is negative", r.Rate)
		p.must(r.Burst >= 1, "rate_limit.burst %d is below 1", r.Burst)
	}
	for i := range n.Reject {
		r := p.item("reject", i)
		r.must(n.Reject[i].Kind != 0, "no kind")
		n.Reject[i].From.fullIfSet(r.field("from"))
	}
	n.Quote.Source.fullIfSet(p.field("quote.source"))
	n.Quote.Destination.fullIfSet(p.field("quote.destination"))
	p.must(n.Quote.Options >= 0 && n.Quote.Options <= 40 && n.Quote.Options%8 == 0, "quote.options %d is not a multiple of 8 up to 40", n.Quote.Options)
	for i := range n.Forge {
		n.Forge[i].validate(p.item("forge", i))
	}
	n.validateExtensions(p)
	if d := n.Duplicate; d != nil {
		d.validate(p, "duplicate")
		p.must(d.Copies >= 0 && d.Gap >= 0, "duplicate has a negative number")
	}
	for i := range n.Late {
		n.Late[i].validate(p.item("late", i), "nth")
		p.must(n.Late[i].By >= 0, "late[%d].by %v is negative", i, n.Late[i].By)
	}
	p.must(n.ReturnHops == nil || (*n.ReturnHops >= 0 && *n.ReturnHops <= maxHops), "return_hops is not 0 to %d", maxHops)
}

func (n *Node) validateExtensions(p *place) {
	for i, l := range n.MPLS {
		p.item("mpls", i).must(l.Label < 1<<20 && l.Exp < 8, "label over 20 bits or exp over 3")
	}
	for i, f := range n.Interfaces {
		p.item("interfaces", i).must(f.Role < 4 && len(f.Name) <= 63, "role over 3 or name over 63 bytes")
	}
	if length := len(n.extensions(true)); length > maxExtensions {
		p.must(false, "%d bytes of extensions: more than %d", length, maxExtensions)
	}
}

func (o *Occurrence) validate(p *place, name string) {
	p.must(o.Every >= 0, "%s: every %d is negative", name, o.Every)
	for _, nth := range o.Nth {
		p.must(nth >= 1, "%s: nth %d: occurrences count from 1", name, nth)
	}
}

func (l *Loss) validate(p *place, name string) {
	l.Occurrence.validate(p, name)
	p.must(l.Chance >= 0 && l.Chance <= 1, "%s: chance %v is not 0 to 1", name, l.Chance)
}

func (h *Host) validate(p *place) {
	p.must(h.Queue >= 0 && h.Queue <= maxQueue, "queue %d is not 0 to %d", h.Queue, maxQueue)
	p.must(h.MTU == 0 || h.MTU >= minMTU, "mtu %d is below %d", h.MTU, minMTU)
	for _, s := range []Stamping{h.Transmit, h.Receive} {
		p.must(s.Loss >= 0 && s.Loss <= 1, "stamp loss %v is not 0 to 1", s.Loss)
		p.must(s.Delay >= 0, "stamp delay %v is negative", s.Delay)
	}
	for i := range h.Faults {
		f, at := &h.Faults[i], p.item("send_faults", i)
		f.validate(at, "nth")
		at.must(f.Error != 0, "no error")
		at.must(f.Until == 0 || f.Until > f.From, "until is not after from")
	}
}

func (e *Expectation) validate(p *place) {
	p.must(len(e.Methods) > 0, "no methods")
	p.must(e.Start >= 0, "start %v is negative", e.Start)
	p.must(e.Error == 0 || len(e.Hops) == 0 && e.Stop == "", "an error leaves no stop and no hops")
	ttl := 0
	for i := range e.Hops {
		h, at := &e.Hops[i], p.item("hops", i)
		at.must(h.TTL > ttl, "TTLs must ascend from 1")
		at.must(h.TTL == ttl+1, "TTL %d comes after %d: every one must be there", h.TTL, ttl)
		at.must(h.Count >= 0 && h.Count <= maxHops, "count %d is not 0 to %d", h.Count, maxHops)
		ttl = h.TTL + max(1, h.Count) - 1
		at.must(h.Maybe || i == 0 || !e.Hops[i-1].Maybe, "comes after one that may be absent")
		for j := range h.Nodes {
			at.item("nodes", j).must(!h.Nodes[j].Address.IsZero(), "no address")
		}
	}
}
