package service

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

// A colo that leaves fails its open traces at once; what it has finished, and the
// other colos, stay. One that joins is part of later jobs.
func TestLeaveAndJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trace := func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
			if target == "192.0.2.1" {
				return direct(ctx, target, report)
			}
			return lasting(func(string) time.Duration { return 9 * time.Second })(ctx, target, report)
		}
		s, roster := newService(t, nil, &fakeColo{name: "ams01", trace: trace}, &fakeColo{name: "den01", trace: trace})
		request := Request{Targets: []string{"192.0.2.1", "192.0.2.2"}, Live: true}
		before := check(t, s, request)
		run := start(t, s, request)
		time.AfterFunc(time.Second, func() { roster.Remove("den01") })
		want := []string{
			"0s started", "0s 0: reached 192.0.2.1 ", "0s 1: reached 192.0.2.1 ",
			"1s 3: timed-out: left while the trace was under way", "9s 2: reached 192.0.2.2 ", "9s end 9s",
		}
		synctest.Wait()
		got := follow(t, run, 0)
		if got[1] > got[2] {
			got[1], got[2] = got[2], got[1] // both at one time
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := roster.Add(&fakeColo{name: "nrt01"}); err != nil {
			t.Fatal(err)
		}
		want = []string{"192.0.2.1@ams01 reached 192.0.2.1", "192.0.2.1@nrt01 reached 192.0.2.1"}
		if diff := cmp.Diff(want, outcomesOf(t, start(t, s, Request{Targets: []string{"192.0.2.1"}}))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// A job that was checked when the colo still took part.
		run, err := s.Start(t.Context(), before, quota.Unlimited())
		if err != nil {
			t.Fatal(err)
		}
		want = []string{
			"192.0.2.1@ams01 reached 192.0.2.1", "192.0.2.1@den01 timed-out: left while the trace was under way",
			"192.0.2.2@ams01 reached 192.0.2.2", "192.0.2.2@den01 timed-out: left while the trace was under way",
		}
		if diff := cmp.Diff(want, outcomesOf(t, run)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
