package compat

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// hastyWindow is the time in which the hasty agent takes one request of a
// token. It is longer than the SDKs wait when nobody tells them for how long.
const hastyWindow = 2 * time.Second

// testTooMany asks more than the agent allows: with 429 the SDK raises its own
// class for it, and left to itself it asks again when the agent said, and
// gets its answer.
func testTooMany(t *testing.T, s sdk, call caller, agent agent) {
	p := newTap(t, agent.url)
	a := ask{Account: account, Targets: []string{"127.0.0.1"}, once: true}
	p.press()
	got := call(t, p.url+"/client/v4", a)
	s.checkBusy(t, p.only(t), a, got, http.StatusTooManyRequests, 971)
	if r := got.Refused; !s.unclassed && r.Retry != "1" && r.Retry != "2" {
		t.Errorf("Retry-After is %q, want 1 or 2", r.Retry)
	}
	if s.unclassed {
		return // nor does it read Retry-After
	}
	a.once, a.credential = false, agent.key // of which the agent has heard nothing yet
	p.press()
	got = call(t, p.url+"/client/v4", a)
	all := p.all()
	if len(all) != 2 || all[0].status != http.StatusTooManyRequests || all[1].status != http.StatusOK {
		t.Fatalf("the SDK sent %d requests, want one refused and one answered", len(all))
	}
	if got.Refused != nil {
		t.Fatalf("refused: %+v", *got.Refused)
	}
	s.checkRead(t, all[1].answer, got)
	want, err := time.ParseDuration(all[0].retryAfter + "s")
	if err != nil {
		t.Fatal(err)
	}
	// A timer of Node.js may go off a millisecond early.
	if waited := all[1].asked.Sub(all[0].answered); waited < want-20*time.Millisecond {
		t.Errorf("the SDK asked again after %v, want %v", waited, want)
	}
}

// testCrowded asks an agent that has no room. Though left to itself the SDK
// does not ask again, because x-should-retry says so.
func testCrowded(t *testing.T, s sdk, call caller, agent agent) {
	agent.crowd(t)
	p := newTap(t, agent.url)
	a := ask{Account: account, Targets: []string{"127.0.0.1"}, once: s.unclassed}
	got := call(t, p.url+"/client/v4", a)
	s.checkBusy(t, p.only(t), a, got, http.StatusServiceUnavailable, 1050)
	if r := got.Refused; !s.unclassed && r.Retry != "5" {
		t.Errorf("Retry-After is %q, want 5", r.Retry)
	}
}

// checkBusy checks the exception for one answer of 429 or 503.
func (s sdk) checkBusy(t *testing.T, x exchange, a ask, got outcome, status, code int) {
	t.Helper()
	if !s.unclassed {
		s.checkRefused(t, x, a, got, status, []fault{{code, "", ""}})
		return
	}
	if x.status != status || got.Refused == nil || got.Refused.Status != 0 {
		t.Errorf("status %d and refusal %+v, want %d and one without status", x.status, got.Refused, status)
	}
}

// crowd takes up the agent, which must have been started with the options of
// crowded: its only trace is under way, for far longer than an SDK takes to
// ask, and its only place to wait is taken. It ends with the test.
func (a agent) crowd(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		asking.Wait()
	})
	// Nobody answers GRE on a host where the agent runs, so each target takes
	// its whole wait time.
	var targets []string
	for i := range 10 {
		targets = append(targets, fmt.Sprintf(`"127.0.0.%d"`, 50+i))
	}
	long := `{"targets":[` + strings.Join(targets, ",") + `],"options":{"packet_type":"gre","wait_time":5}}`
	first := a.post(ctx, t, "/v1/traces", long, "application/x-ndjson")
	if first == nil {
		t.Fatal("the trace that was to take long was refused")
	}
	t.Cleanup(func() { first.Body.Close() })
	line, err := bufio.NewReader(first.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, `"started"`) {
		t.Fatalf("the trace that was to take long began with %q, %v", line, err)
	}
	asking.Go(func() {
		for ctx.Err() == nil { // it is sent away when it has waited long enough
			if waited := a.post(ctx, t, "/v1/traces", long, "application/json"); waited != nil {
				waited.Body.Close()
			}
		}
	})
	a.awaitMetric(t, "probe_agent_room_requests_waiting 1")
}

// crowded are options of an agent with room for one trace and one request that
// waits, for as long as may be.
func crowded() []string { return []string{"--max-traces", "1", "--queue", "1", "--queue-wait", "20s"} }

// post sends a request with the agent's token; nil when ctx ended first.
func (a agent) post(ctx context.Context, t *testing.T, path, body, accept string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	request.Header.Set("Authorization", "Bearer "+a.token.token)
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return nil
	}
	return response
}

// awaitMetric asks the agent for its metrics until they have that line.
func (a agent) awaitMetric(t *testing.T, line string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+a.token.token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\n"+line+"\n") {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the metrics never have %q", line)
		}
	}
}
