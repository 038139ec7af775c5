package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/internal/panics"
	"probe-agent/quota"
	"probe-agent/service"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// recordedAgent is a handler whose colos trace as scripted, and what a test does
// to it from outside.
type recordedAgent struct {
	handler http.Handler
	drain   func()
	cut     func()
}

// newRecordedAgent is the only function that knows how a handler is built. It
// must be called in the bubble that serves the requests.
func newRecordedAgent(t testing.TB, c recordedCase, credentials *access.Registry) recordedAgent {
	t.Helper()
	limits := quota.Default()
	if c.limit != nil {
		c.limit(&limits)
	}
	limiter, err := quota.New(limits)
	if err != nil {
		t.Fatal(err)
	}
	roster, err := service.NewRoster(
		&scriptedColo{t: t, name: "den01", city: "Denver, CO, US", lag: 0},
		&scriptedColo{t: t, name: "den02", city: "Denver, CO, US", lag: time.Millisecond},
		&scriptedColo{t: t, name: "ams01", city: "Amsterdam, NL", lag: 2 * time.Millisecond, redact: 2},
	)
	if err != nil {
		t.Fatal(err)
	}
	h := api.New(api.Config{
		Service: service.New(service.Config{Roster: roster, Annotator: scriptedNotes{
			"192.0.2.1":       {Name: "gw.example.net", ASN: 64500},
			"198.51.100.1":    {Name: "core-1.example.net", ASN: 64496},
			"198.51.100.2":    {ASN: 64496},
			"203.0.113.80":    {Name: "web.example.org", ASN: 4200000000},
			"2001:db8::1":     {Name: "gw6.example.net"},
			"2001:db8:1::100": {Name: "web.example.org", ASN: 64501},
		}}),
		Limiter: limiter, Credentials: credentials, Log: slog.New(slog.DiscardHandler),
		Ready: func() error {
			if c.unready {
				return errors.New("no raw sockets")
			}
			return nil
		},
	})
	return recordedAgent{handler: h, drain: func() { h.Drain() }, cut: h.Cut}
}

// scriptedNotes knows names and AS numbers at once.
type scriptedNotes map[string]traceroute.Note

func (scriptedNotes) Prefetch(netip.Addr) {}

func (n scriptedNotes) Annotate(_ context.Context, addrs []netip.Addr) traceroute.Notes {
	known := make(traceroute.Notes)
	for _, addr := range addrs {
		if note, ok := n[addr.String()]; ok {
			known[addr] = note
		}
	}
	return known
}

// scriptedColo traces the targets of recordedScripts.
type scriptedColo struct {
	t          testing.TB
	name, city string
	lag        time.Duration // behind other colos, so that no two events are at one time
	redact     int
}

func (c *scriptedColo) Info() traceroute.Colo { return traceroute.Colo{Name: c.name, City: c.city} }

func (c *scriptedColo) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	faults := make([]error, len(batch.Targets))
	for i, target := range batch.Targets {
		wg.Go(func() {
			defer func() {
				if faults[i] != nil {
					cancel()
				}
			}()
			defer panics.Catch(&faults[i])
			began := time.Now()
			var told []traceroute.Hop
			result, err := c.trace(ctx, target, batch.Spec, func(r *traceroute.Result) {
				if hops := hopsOf(r); batch.Live {
					events <- traceroute.Event{Target: i, Hops: changed(told, hops)}
					told = hops
				}
			})
			outcome := &traceroute.Outcome{Result: result}
			if err != nil {
				outcome.Failure, outcome.Took = traceroute.FailureOf(err, context.Cause(ctx)), time.Since(began)
			} else {
				outcome.Took = result.Duration
			}
			events <- traceroute.Event{Target: i, Outcome: outcome}
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}

// hopsOf summarises the hops of a trace that runs.
func hopsOf(r *traceroute.Result) (hops []traceroute.Hop) {
	for _, p := range r.Probes {
		for len(hops) < int(p.TTL) {
			ttl := uint8(len(hops) + 1)
			probes := slices.DeleteFunc(slices.Clone(r.Probes), func(p traceroute.Probe) bool { return p.TTL != ttl })
			hops = append(hops, stats.SummarizeHop(ttl, probes, &r.Spec, r.Duration))
		}
	}
	return hops
}

// changed returns the hops that are not as before, with those that are not there
// any more as hops with nothing sent.
func changed(before, hops []traceroute.Hop) (all []traceroute.Hop) {
	for i, hop := range hops {
		if i >= len(before) || !reflect.DeepEqual(before[i], hop) {
			all = append(all, hop)
		}
	}
	for i := len(hops); i < len(before); i++ {
		all = append(all, traceroute.Hop{TTL: before[i].TTL})
	}
	return all
}

// trace reports the state of the scripted trace every 100 ms while it changes.
// No two traces of different targets or colos do so at one time.
func (c *scriptedColo) trace(ctx context.Context, target string, spec traceroute.Spec, report func(*traceroute.Result)) (*traceroute.Result, error) {
	scripts := recordedScripts()
	i := slices.IndexFunc(scripts, func(s recordedScript) bool { return s.target == target })
	began := time.Now()
	if err := sleep(ctx, c.lag+time.Duration(3*i+4)*time.Millisecond); err != nil {
		return nil, err
	}
	if i < 0 {
		return nil, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "no such host"}
	}
	switch s := scripts[i]; {
	case s.panics != "":
		panic(s.panics)
	case s.unsent != "":
		return nil, errors.New(s.unsent)
	case s.code != 0:
		return nil, &traceroute.Failure{Code: traceroute.FailureCode(s.code), Reason: s.reason}
	}
	r := scripts[i].result(c.t, spec)
	r.Started = began
	settled := settledAt(r)
	for at := 100 * time.Millisecond; at < r.Duration; at += 100 * time.Millisecond {
		if at < settled+100*time.Millisecond {
			report(traceroute.Redact(stateAt(r, at), c.redact))
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return traceroute.Redact(r, c.redact), nil
}

// settledAt is when the last probe was answered or lost, since the start.
func settledAt(r *traceroute.Result) (at time.Duration) {
	for _, p := range r.Probes {
		if p.Answer != nil {
			at = max(at, p.Sent+p.Answer.RTT)
		} else {
			at = max(at, p.Sent+r.Spec.Wait)
		}
	}
	return at
}

// sleep waits for d of a bubble's time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stateAt is what a trace knows some time after its start. Until its second
// report, there are probes beyond the end of the path.
func stateAt(r *traceroute.Result, at time.Duration) *traceroute.Result {
	so := *r
	so.Stop, so.Duration, so.Limited, so.Probes = traceroute.Running, at, nil, nil
	for _, p := range r.Probes {
		if p.Sent > at {
			continue
		}
		if p.Answer != nil && p.Sent+p.Answer.RTT > at {
			p.Answer = nil
		}
		so.Probes = append(so.Probes, p)
	}
	if last := r.Probes[len(r.Probes)-1].TTL; at < 200*time.Millisecond {
		so.Probes = append(so.Probes, traceroute.Probe{TTL: last + 1, Sent: at}, traceroute.Probe{TTL: last + 2, Sent: at})
	}
	return &so
}

// result reads the script. Its port is 0 unless the request had another than the
// default.
func (s recordedScript) result(t testing.TB, spec traceroute.Spec) *traceroute.Result {
	t.Helper()
	spec.Target = netip.MustParseAddr(s.addr)
	if standard, err := (traceroute.Spec{Method: spec.Method}).WithDefaults(); err == nil && spec.Port == standard.Port {
		spec.Port = 0
	}
	r := &traceroute.Result{
		Spec: spec, Source: netip.MustParseAddr(s.source), Duration: s.took, Stop: traceroute.Stop(s.stop), Limited: s.limited,
		Counts: traceroute.Counts{Beyond: s.counts[0], Duplicates: s.counts[1], Late: s.counts[2], Forged: s.counts[3], Retried: s.counts[4]},
	}
	for line := range strings.Lines(s.probes) {
		if fields := strings.Fields(line); len(fields) > 0 {
			r.Probes = append(r.Probes, scriptedProbe(t, fields))
		}
	}
	return r
}

// scriptedProbe reads one line of a script: TTL, flow (with e: encapsulated),
// time of sending, and for an answer its sender, RTT, kind and details.
func scriptedProbe(t testing.TB, fields []string) traceroute.Probe {
	t.Helper()
	flow, encapsulated := strings.CutSuffix(fields[1], "e")
	p := traceroute.Probe{TTL: uint8(number(t, fields[0])), Flow: uint16(number(t, flow)), Encapsulated: encapsulated, Sent: duration(t, fields[2])}
	if len(fields) == 3 {
		return p
	}
	a := &traceroute.Answer{From: netip.MustParseAddr(fields[3]), RTT: duration(t, fields[4]), Kind: scriptedKind(t, fields[5])}
	for _, detail := range fields[6:] {
		name, value, _ := strings.Cut(detail, "=")
		switch name {
		case "arrival":
			a.Arrival = true
		case "code":
			a.Code = uint8(number(t, value))
		case "ttl":
			a.TTL = uint8(number(t, value))
		case "quoted":
			a.QuotedTTL = uint8(number(t, value))
		case "tos":
			a.QuotedTOS = uint8(number(t, value))
		case "mtu":
			a.MTU = uint32(number(t, value))
		case "clock":
			a.Clock = traceroute.Clock(number(t, value))
		case "labels", "objects":
			a.Extensions = scriptedExtensions(t, name)
		default:
			t.Fatalf("script: unknown detail %s", detail)
		}
	}
	p.Answer = a
	return p
}

func scriptedKind(t testing.TB, name string) traceroute.Kind {
	t.Helper()
	for k := traceroute.EchoReply; k <= traceroute.Decapsulated; k++ {
		if k.String() == name {
			return k
		}
	}
	t.Fatalf("script: unknown kind %s", name)
	return 0
}

// scriptedExtensions are two MPLS labels; or with them an interface in each of
// two roles, a malformed one, and two objects of unknown classes, one of which
// has the address of the gateway in it.
func scriptedExtensions(t testing.TB, name string) *traceroute.Extensions {
	t.Helper()
	e := &traceroute.Extensions{MPLS: []traceroute.MPLS{
		{Label: 24001, TrafficClass: 5, TTL: 64}, {Label: 16, TrafficClass: 2, Bottom: true, TTL: 2},
	}}
	if name == "objects" {
		e.Interfaces = []traceroute.Interface{
			{Role: traceroute.RoleIncoming, Index: 7, HasIndex: true, Addr: netip.MustParseAddr("192.0.2.1"), Name: "xe-0\uFFFD", MTU: 1500},
			{Role: traceroute.RoleOutgoing, Index: 8, HasIndex: true, Name: "eth"},
		}
		e.Objects = []traceroute.Object{
			{Class: 2, CType: 4},
			{Class: 9, CType: 8, Data: []byte{0xde, 0xad, 0xbe, 0xef}},
			{Class: 10, CType: 1, Data: []byte{192, 0, 2, 1}},
			{Class: 3, CType: 1},
		}
	}
	return e
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(fmt.Errorf("script: %w", err))
	}
	return n
}

func duration(t testing.TB, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(fmt.Errorf("script: %w", err))
	}
	return d
}
