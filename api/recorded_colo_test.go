package api_test

import (
	"context"
	"encoding/binary"
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
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/quota"
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
func (c *scriptedColo) Trace(ctx context.Context, target string, spec prober.Spec) (*prober.Result, error) {
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
			spec.Progress(prober.Redact(stateAt(r, at), c.redact))
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return prober.Redact(r, c.redact), nil
}

// settledAt is when the last probe was answered or lost, since the start.
func settledAt(r *prober.Result) (at time.Duration) {
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
func stateAt(r *prober.Result, at time.Duration) *prober.Result {
	so := *r
	so.Stop, so.Duration, so.Limited, so.Probes = prober.Running, at, nil, nil
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
		so.Probes = append(so.Probes, prober.Probe{TTL: last + 1, Sent: at}, prober.Probe{TTL: last + 2, Sent: at})
	}
	return &so
}

// result reads the script. Options that the request did not set have their
// defaults.
func (s recordedScript) result(t testing.TB, spec prober.Spec) *prober.Result {
	t.Helper()
	r := &prober.Result{
		Spec: prober.Spec{
			Target: netip.MustParseAddr(s.addr), Method: spec.Method, MaxTTL: spec.MaxTTL, PacketsPerTTL: spec.PacketsPerTTL,
			Port: spec.Port, Wait: spec.Wait, Family: spec.Family,
		},
		Source: netip.MustParseAddr(s.source), Duration: s.took, Stop: prober.Stop(s.stop), Limited: s.limited,
		Counts: prober.Counts{Beyond: s.counts[0], Duplicates: s.counts[1], Late: s.counts[2], Forged: s.counts[3], Retried: s.counts[4]},
	}
	if r.Spec.MaxTTL == 0 {
		r.Spec.MaxTTL = prober.DefaultMaxTTL
	}
	if r.Spec.PacketsPerTTL == 0 {
		r.Spec.PacketsPerTTL = prober.DefaultPackets
	}
	if r.Spec.Wait == 0 {
		r.Spec.Wait = prober.DefaultWait
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
func scriptedProbe(t testing.TB, fields []string) prober.Probe {
	t.Helper()
	flow, encapsulated := strings.CutSuffix(fields[1], "e")
	p := prober.Probe{TTL: uint8(number(t, fields[0])), Flow: uint8(number(t, flow)), Encapsulated: encapsulated, Sent: duration(t, fields[2])}
	if len(fields) == 3 {
		return p
	}
	a := &prober.Answer{From: netip.MustParseAddr(fields[3]), RTT: duration(t, fields[4]), Kind: scriptedKind(t, fields[5])}
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
			a.Clock = prober.Clock(number(t, value))
		case "labels", "objects":
			a.Extensions = scriptedExtensions(t, name)
		default:
			t.Fatalf("script: unknown detail %s", detail)
		}
	}
	p.Answer = a
	return p
}

func scriptedKind(t testing.TB, name string) packet.Kind {
	t.Helper()
	for k := packet.EchoReply; k <= packet.Decapsulated; k++ {
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
func scriptedExtensions(t testing.TB, name string) *packet.Extensions {
	t.Helper()
	objects := [][]byte{object(1, 1, 0x05, 0xdc, 0x1a, 0x40, 0x00, 0x01, 0x05, 0x02)} // labels 24001 and 16
	if name == "objects" {
		objects = append(objects,
			object(2, 0x0f, 0, 0, 0, 7, 0, 1, 0, 0, 192, 0, 2, 1, 8, 'x', 'e', '-', '0', '\xff', 0, 0, 0, 0, 5, 0xdc), // incoming: index, address, name, MTU
			object(2, 0x0a|2<<6, 0, 0, 0, 8, 4, 'e', 't', 'h'),                                                        // outgoing: index, name
			object(2, 0x04),
			object(9, 8, 0xde, 0xad, 0xbe, 0xef),
			object(10, 1, 192, 0, 2, 1),
			object(3, 1),
		)
	}
	quote := make([]byte, 128)
	quote[0], quote[5], quote[6], quote[7] = 0x60, 88, 58, 1 // IPv6, its payload, ICMPv6, hop limit
	copy(quote[8:], netip.MustParseAddr("2001:db8::9").AsSlice())
	copy(quote[24:], netip.MustParseAddr("2001:db8:1::100").AsSlice())
	quote[40] = 128                                              // echo request
	message := append([]byte{3, 0, 0, 0, 16, 0, 0, 0}, quote...) // time exceeded, 16 × 8 bytes of quote
	message = append(message, 0x20, 0, 0, 0)
	for _, o := range objects {
		message = append(message, o...)
	}
	var reply packet.Reply
	if err := packet.Parse(&packet.Incoming{IPv6: true, Protocol: 58, Bytes: message}, &reply); err != nil {
		t.Fatal(err)
	}
	return reply.Extensions.Clone()
}

// object is an ICMP extension object (RFC 4884 section 7.2).
func object(class, cType byte, data ...byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(4+len(data))), append([]byte{class, cType}, data...)...)
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
