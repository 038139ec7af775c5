package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// Every target from every colo at once: together they take as long as the
// slowest, and come in the order asked, whichever is done first.
func TestParallelAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delays := map[string]time.Duration{"192.0.2.1": 3 * time.Second, "192.0.2.2": time.Second, "192.0.2.3": 2 * time.Second}
		slow := func(ctx context.Context, target string, _ Spec) (*traceroute.Result, error) {
			if err := after(ctx, delays[target]); err != nil {
				return nil, err
			}
			return direct(target), nil
		}
		s := newService(t, &fakeColo{name: "ams01", trace: slow}, &fakeColo{name: "den01", trace: slow}, &fakeColo{name: "den02", trace: slow})
		started := time.Now()
		got, err := s.Run(t.Context(), Request{Targets: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"}, Colos: []string{"den02", "ams", "den"}})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("took %s, want the 3 s of the slowest", took)
		}
		var order []string
		for _, target := range got.Result {
			for _, c := range target.Colos {
				order = append(order, target.Target+" "+c.Colo.Name+" "+c.Summary.IP)
			}
		}
		var want []string
		for _, target := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"} {
			for _, colo := range []string{"den02", "ams01", "den01"} {
				want = append(want, target+" "+colo+" "+target)
			}
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := func(ctx context.Context, _ string, _ Spec) (*traceroute.Result, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		s := newService(t, &fakeColo{name: "ams01", trace: stuck}, &fakeColo{name: "den01"})
		started := time.Now()
		got, err := s.Run(t.Context(), Request{Targets: []string{"192.0.2.1"}})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != Deadline {
			t.Errorf("took %s, want %s", took, Deadline)
		}
		late, good := got.Result[0].Colos[0], got.Result[0].Colos[1]
		if late.Error != "Could not gather traceroute data: Code 2" || late.TimeMS != Deadline.Milliseconds() || good.Error != "" || len(good.Hops) != 1 {
			t.Errorf("late %+v, good %+v", late, good)
		}
		want := []envelope.Message{{Code: 1002, Message: "ams01 → 192.0.2.1: did not answer in time"}}
		if diff := cmp.Diff(want, got.Messages); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	})
}

func TestWriteTimeoutLeavesRoom(t *testing.T) {
	if worst := ReadTimeout + Deadline + annotateTimeout; worst >= WriteTimeout || WriteTimeout >= time.Minute {
		t.Errorf("a legal request may take %s, the server cuts at %s, clients give up after 1m", worst, WriteTimeout)
	}
}

func TestFailures(t *testing.T) {
	colos := []Colo{
		&fakeColo{name: "good01"},
		&fakeColo{name: "one01", trace: failing(&Failure{Code: Unresolved, Reason: "no such host"})},
		&fakeColo{name: "two01", trace: failing(&Failure{Code: TimedOut, Reason: "offline"})},
		&fakeColo{name: "three01", trace: failing(&Failure{Code: Forbidden, Reason: "private address"})},
		&fakeColo{name: "four01", trace: failing(errors.New("any other"))},
	}
	got := loadLaw(t).ask(t, newHandler(t, colos...), http.MethodPost, endpoint, `{"targets":["example.invalid"]}`)
	if got.status != http.StatusOK || !got.Success {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	var codes []string
	for _, c := range got.Result[0].Colos {
		codes = append(codes, c.Error)
		if c.Error == "" {
			continue
		}
		if diff := cmp.Diff(TargetSummary{Name: "example.invalid"}, c.Summary); diff != "" || c.Hops == nil || len(c.Hops) != 0 {
			t.Errorf("%s: hops %v, summary (-want +got):\n%s", c.Colo.Name, c.Hops, diff)
		}
	}
	const words = "Could not gather traceroute data: Code "
	if diff := cmp.Diff([]string{"", words + "1", words + "2", words + "3", words + "4"}, codes); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	want := []envelope.Message{
		{Code: 1001, Message: "one01 → example.invalid: no such host"},
		{Code: 1002, Message: "two01 → example.invalid: offline"},
		{Code: 1003, Message: "three01 → example.invalid: private address"},
		{Code: 1004, Message: "four01 → example.invalid: could not send"},
	}
	if diff := cmp.Diff(want, got.Messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if n := strings.Count(string(got.body), `"error":`); n != 4 {
		t.Errorf("the error field is there %d times, want 4: absent on success", n)
	}
}

func TestRunChecksRequests(t *testing.T) {
	_, err := newService(t, &fakeColo{name: "den01"}).Run(t.Context(), Request{Targets: []string{"a b"}, Options: Options{Port: -1}})
	refused, ok := errors.AsType[*envelope.Error](err)
	if !ok || len(refused.Errors) != 2 {
		t.Fatalf("error %v", err)
	}
	for _, field := range []string{"/targets/0", "/options/port"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stuck := func(ctx context.Context, _ string, _ Spec) (*traceroute.Result, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	_, err := newService(t, &fakeColo{name: "den01", trace: stuck}).Run(ctx, Request{Targets: []string{"192.0.2.1"}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// slowAnnotator knows nothing, and needs all of its time to say so.
type slowAnnotator struct{ asked []netip.Addr }

func (s *slowAnnotator) Prefetch(netip.Addr) {}

func (s *slowAnnotator) Annotate(ctx context.Context, addrs []netip.Addr) map[netip.Addr]Annotation {
	s.asked = addrs
	<-ctx.Done()
	return nil
}

func TestAnnotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowAnnotator{}
		failed := &fakeColo{name: "ams01", trace: failing(errors.New("no"))}
		s, err := New(Config{Colos: []Colo{failed, &fakeColo{name: "den01"}}, Annotator: slow})
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		got, err := s.Run(t.Context(), Request{Targets: []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"}})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != annotateTimeout {
			t.Errorf("took %s", took)
		}
		want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
		if diff := cmp.Diff(want, slow.asked, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if n := got.Result[0].Colos[1].Hops[0].Nodes[0]; n.Name != "192.0.2.1" || n.ASN != "" {
			t.Errorf("node %+v", n)
		}
	})
}
