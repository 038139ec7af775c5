package rounds

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"probe-agent/service"
	"probe-agent/traceroute"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a colo that takes a second for each trace: 192.0.2.2 takes a second
// more, 192.0.2.9 fails, the others are one hop away.
type place struct{ batches atomic.Int32 }

func (*place) Info() traceroute.Colo { return traceroute.Colo{Name: "loc01", City: "Here"} }

func (p *place) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	p.batches.Add(1)
	for i, target := range batch.Targets {
		addr := netip.MustParseAddr(target)
		if batch.Live && target != "192.0.2.9" {
			events <- traceroute.Event{Target: i, Hops: []traceroute.Hop{{TTL: 1, Sent: 1}, {TTL: 2}}}
		}
		wait := time.Second
		if target == "192.0.2.2" {
			wait = 2 * time.Second
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			outcome := traceroute.Outcome{Failure: traceroute.FailureOf(ctx.Err(), context.Cause(ctx))}
			events <- traceroute.Event{Target: i, Outcome: &outcome}
			continue
		}
		outcome := traceroute.Outcome{Result: &traceroute.Result{
			Spec: traceroute.Spec{Target: addr, Method: batch.Spec.Method, MaxTTL: 15, PacketsPerTTL: 1}, Source: netip.MustParseAddr("192.0.2.99"),
			Duration: time.Second, Stop: traceroute.Reached,
			Probes: []traceroute.Probe{{TTL: 1, Answer: &traceroute.Answer{From: addr, RTT: time.Millisecond, Arrival: true}}},
		}}
		if target == "192.0.2.9" {
			outcome = traceroute.Outcome{Failure: &traceroute.Failure{Code: traceroute.Forbidden, Reason: "may not be probed"}}
		}
		events <- traceroute.Event{Target: i, Outcome: &outcome}
	}
	return nil
}

// trace runs Trace in a bubble, in which ctx ends after some time.
func trace(t *testing.T, after time.Duration, rounds int, form func(service.Request) Form, targets ...string) (outcomes []traceroute.Outcome, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		roster, rosterErr := service.NewRoster(new(place))
		if rosterErr != nil {
			t.Fatal(rosterErr)
		}
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		request := service.Request{Targets: targets, Spec: traceroute.Spec{Method: traceroute.UDP, MaxTTL: 15, PacketsPerTTL: 1}}
		c := Config{Service: service.New(service.Config{Roster: roster}), Request: request, Rounds: rounds, Interval: 5 * time.Second}
		outcomes, err = Trace(ctx, c, form(request))
	})
	return outcomes, err
}

const (
	title = "hop   loss  node             answers    min ms   mean ms    max ms    dev ms\n"
	csv   = "round,target,address,stop,ttl,sent,lost,node,asn,name,labels,answers,min_ms,mean_ms,max_ms,std_dev_ms\n"
)

// TestForms: what each form shows of rounds that are through, or interrupted.
func TestForms(t *testing.T) {
	heading := func(target string) string {
		return target + " from 192.0.2.99: udp, 1 packets per hop, 15 hops at most\n" + title
	}
	row := func(target, answers string) string {
		return "  1     0%  " + target + "            " + answers + "     1.000     1.000     1.000     0.000\n"
	}
	value := func(round, target string) string {
		return round + "," + target + "," + target + ",reached,1,1,0," + target + ",," + target + ",,1,1,1,1,0\n"
	}
	for _, tt := range []struct {
		name     string
		form     string
		rounds   int
		after    time.Duration
		targets  []string
		out, err string
		failed   int // outcomes of the last round
	}{
		{
			"tables", "table", 1, time.Minute,
			[]string{"192.0.2.1", "192.0.2.9"},
			heading("192.0.2.1") + row("192.0.2.1", "1/1") + "reached in 1s\n\n192.0.2.9: may not be probed\n", "", 1,
		},
		{
			"tables of rounds", "follow", 2, time.Minute,
			[]string{"192.0.2.1"},
			heading("192.0.2.1") + row("192.0.2.1", "2/2") + "round 2: reached in 1s\n", "", 0,
		},
		{
			"an interrupted table", "table", 1, 1500 * time.Millisecond,
			[]string{"192.0.2.1", "192.0.2.2"},
			heading("192.0.2.1") + row("192.0.2.1", "1/1") + "reached in 1s\n\n" +
				"192.0.2.2: udp, 1 packets per hop, 15 hops at most\n" + title + "  1         …                    0/1\ninterrupted\n", "", 1,
		},
		{
			"an interrupted later round", "follow", 0, 11500 * time.Millisecond,
			[]string{"192.0.2.2"},
			heading("192.0.2.2") + row("192.0.2.2", "2/2") + "round 2: reached in 1s\n", "", 0,
		},
		{
			"rows", "csv", 2, time.Minute,
			[]string{"192.0.2.1", "192.0.2.9"},
			csv + value("1", "192.0.2.1") + value("2", "192.0.2.1"), strings.Repeat("192.0.2.9: may not be probed\n", 2), 1,
		},
		{
			"interrupted rows", "csv", 0, 1500 * time.Millisecond,
			[]string{"192.0.2.1", "192.0.2.2"},
			csv + value("1", "192.0.2.1"), "192.0.2.2: interrupted\n", 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs strings.Builder
			outcomes, err := trace(t, tt.after, tt.rounds, func(r service.Request) Form {
				if tt.form == "csv" {
					return CSV(&out, &errs)
				}
				return Tables(&out, r, tt.form == "follow")
			}, tt.targets...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.out, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.err, errs.String()); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			failed := 0
			for _, o := range outcomes {
				if o.Failure != nil {
					failed++
				}
			}
			if len(outcomes) != len(tt.targets) || failed != tt.failed {
				t.Errorf("%d outcomes, %d failed; want %d, %d", len(outcomes), failed, len(tt.targets), tt.failed)
			}
		})
	}
}

// TestJSON: a line for each round, and none for one that was interrupted.
func TestJSON(t *testing.T) {
	var out strings.Builder
	if _, err := trace(t, time.Minute, 2, func(service.Request) Form { return JSON(&out) }, "192.0.2.9"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `"messages":[{"code":1003,"message":"loc01 → 192.0.2.9: may not be probed"}]`); n != 2 || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%d answers in %q", n, out.String())
	}
	if _, err := trace(t, time.Second/2, 1, func(service.Request) Form { return JSON(io.Discard) }, "192.0.2.1"); !errors.Is(err, errInterrupted) {
		t.Errorf("error %v, want %v", err, errInterrupted)
	}
}

// broken is output that cannot be written.
type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// TestOutputFails: Trace ends when its output cannot be written, with nothing left
// behind.
func TestOutputFails(t *testing.T) {
	for name, form := range map[string]func(service.Request) Form{
		"tables": func(r service.Request) Form { return Tables(broken{}, r, false) },
		"csv":    func(service.Request) Form { return CSV(broken{}, io.Discard) },
		"json":   func(service.Request) Form { return JSON(broken{}) },
	} {
		if _, err := trace(t, time.Hour, 0, form, "192.0.2.1", "192.0.2.2"); !errors.Is(err, errBroken) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestRefused: a request that the service refuses is an error.
func TestRefused(t *testing.T) {
	_, err := trace(t, time.Minute, 1, func(service.Request) Form { return JSON(io.Discard) })
	if _, ok := errors.AsType[*service.InvalidError](err); !ok {
		t.Errorf("error %v", err)
	}
}
