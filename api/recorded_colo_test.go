package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/lookup"
	"probe-agent/quota"
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
	service, err := api.New(api.Config{
		Colos: []api.Colo{
			&scriptedColo{t: t, name: "den01", city: "Denver, CO, US", lag: 0},
			&scriptedColo{t: t, name: "den02", city: "Denver, CO, US", lag: time.Millisecond},
			&scriptedColo{t: t, name: "ams01", city: "Amsterdam, NL", lag: 2 * time.Millisecond, redact: 2},
		},
		Annotator: scriptedNotes{
			"192.0.2.1":       {Name: "gw.example.net", ASN: 64500},
			"198.51.100.1":    {Name: "core-1.example.net", ASN: 64496},
			"198.51.100.2":    {ASN: 64496},
			"203.0.113.80":    {Name: "web.example.org", ASN: 4200000000},
			"2001:db8::1":     {Name: "gw6.example.net"},
			"2001:db8:1::100": {Name: "web.example.org", ASN: 64501},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := api.NewHandler(api.HandlerConfig{
		Service: service, Limiter: limiter, Credentials: credentials, Log: slog.New(slog.DiscardHandler),
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
type scriptedNotes map[string]lookup.Annotation

func (scriptedNotes) Prefetch(netip.Addr) {}

func (n scriptedNotes) Annotate(_ context.Context, addrs []netip.Addr) map[netip.Addr]lookup.Annotation {
	known := make(map[netip.Addr]lookup.Annotation)
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

func (c *scriptedColo) Name() string { return c.name }
func (c *scriptedColo) City() string { return c.city }

// Trace reports the state of the scripted trace every 100 ms while it changes.
// No two traces of different targets or colos do so at one time.
func (c *scriptedColo) Trace(ctx context.Context, target string, spec api.Spec) (*traceroute.Result, error) {
	scripts := recordedScripts()
	i := slices.IndexFunc(scripts, func(s recordedScript) bool { return s.target == target })
	began := time.Now()
	if err := sleep(ctx, c.lag+time.Duration(3*i+4)*time.Millisecond); err != nil {
		return nil, err
	}
	if i < 0 {
		return nil, &api.Failure{Code: api.Unresolved, Reason: "no such host"}
	}
	switch s := scripts[i]; {
	case s.panics != "":
		panic(s.panics)
	case s.unsent != "":
		return nil, errors.New(s.unsent)
	case s.code != 0:
		return nil, &api.Failure{Code: api.FailureCode(s.code), Reason: s.reason}
	}
	r := scripts[i].result(c.t, spec)
	r.Started = began
	settled := settledAt(r)
	for at := 100 * time.Millisecond; at < r.Duration; at += 100 * time.Millisecond {
		if spec.Progress != nil && at < settled+100*time.Millisecond {
			spec.Progress(traceroute.Redact(stateAt(r, at), c.redact))
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

// result reads the script. Options that the request did not set have their
// defaults.
func (s recordedScript) result(t testing.TB, spec api.Spec) *traceroute.Result {
	t.Helper()
	r := &traceroute.Result{
		Spec: traceroute.Spec{
			Target: netip.MustParseAddr(s.addr), Method: spec.Method, MaxTTL: spec.MaxTTL, PacketsPerTTL: spec.PacketsPerTTL,
			Port: spec.Port, Wait: spec.Wait, Family: spec.Family,
		},
		Source: netip.MustParseAddr(s.source), Duration: s.took, Stop: traceroute.Stop(s.stop), Limited: s.limited,
		Counts: traceroute.Counts{Beyond: s.counts[0], Duplicates: s.counts[1], Late: s.counts[2], Forged: s.counts[3], Retried: s.counts[4]},
	}
	if r.Spec.MaxTTL == 0 {
		r.Spec.MaxTTL = traceroute.DefaultMaxTTL
	}
	if r.Spec.PacketsPerTTL == 0 {
		r.Spec.PacketsPerTTL = traceroute.DefaultPackets
	}
	if r.Spec.Wait == 0 {
		r.Spec.Wait = traceroute.DefaultWait
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
