package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/access"
	"probe-agent/api/envelope"
	"probe-agent/quota"
	"probe-agent/traceroute"
)

func newLimiter(t testing.TB, l quota.Limits) *quota.Limiter {
	t.Helper()
	limiter, err := quota.New(l)
	if err != nil {
		t.Fatal(err)
	}
	return limiter
}

// Every answer of the endpoints that are limited says how the client stands,
// also those that refuse it; after the window it may ask again.
func TestRequestRate(t *testing.T) {
	const other = `{"targets":[]}`
	steps := []struct {
		wait         time.Duration
		body         string
		status, code int
		remaining    string
		retry        string
	}{
		{0, goodBody, 200, 0, "r=2;t=100", ""},
		{time.Second, other, 400, 1002, "r=1;t=99", ""},
		{time.Second, goodBody, 200, 0, "r=0;t=98", ""},
		{0, goodBody, 429, envelope.CodeTooMany, "r=0;t=98", "59"},
		{40 * time.Second, goodBody, 429, envelope.CodeTooMany, "r=0;t=58", "58"},
		{57500 * time.Millisecond, goodBody, 429, envelope.CodeTooMany, "r=0;t=1", "1"},
		{500 * time.Millisecond, goodBody, 200, 0, "r=0;t=1", ""},
		{200 * time.Second, goodBody, 200, 0, "r=2;t=100", ""},
	}
	law := loadLaw(t)
	for _, path := range []string{endpoint, traceroutePathOf("acme"), nativePath} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := quota.Default()
				l.Requests, l.Window = 3, 100*time.Second
				h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Limiter: newLimiter(t, l)})
				for i, step := range steps {
					time.Sleep(step.wait)
					got := law.ask(t, h, http.MethodPost, path, step.body)
					type told struct{ Status, Policy, Rate, Retry string }
					want := told{http.StatusText(step.status), `"default";q=3;w=100`, `"default";` + step.remaining, step.retry}
					seen := told{http.StatusText(got.status), got.header.Get("Ratelimit-Policy"), got.header.Get("Ratelimit"), got.header.Get("Retry-After")}
					if diff := cmp.Diff(want, seen); diff != "" {
						t.Errorf("request %d (-want +got):\n%s", i, diff)
					}
					if step.code != 0 && !strings.Contains(string(got.body), fmt.Sprintf(`"code":%d`, step.code)) {
						t.Errorf("request %d, want code %d: %s", i, step.code, got.body)
					}
				}
			})
		})
	}
}

// traceroutePathOf is the endpoint without its old base.
func traceroutePathOf(account string) string {
	return strings.TrimPrefix(pathOf(account), "/client/v4")
}

// onDuty counts the traces of each account that are under way.
type onDuty struct {
	mu      sync.Mutex
	running map[string]int
	most    map[string]int
}

func (d *onDuty) change(account string, by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range []string{account, "all"} {
		d.running[name] += by
		d.most[name] = max(d.most[name], d.running[name])
	}
}

// crowdLimits are such that a crowd meets every one of them.
func crowdLimits() quota.Limits {
	return quota.Limits{
		Requests: 60, Window: 10 * time.Second,
		Traces: 8, TracesPerToken: 6, Queue: 80, QueuePerAccount: 50, Wait: 9 * time.Second,
	}
}

// crowd is a handler in front of a colo that watches its limits, and what it
// answered.
type crowd struct {
	handler *Handler
	limiter *quota.Limiter
	duty    onDuty
	secrets map[string]string // by account

	mu      sync.Mutex
	answers map[int]int    // by status
	served  map[string]int // answered with 200, by account
}

func newCrowd(t *testing.T, accounts ...string) *crowd {
	t.Helper()
	c := &crowd{
		limiter: newLimiter(t, crowdLimits()), secrets: map[string]string{},
		duty:    onDuty{running: map[string]int{}, most: map[string]int{}},
		answers: map[int]int{}, served: map[string]int{},
	}
	var credentials []access.Credential
	for _, name := range accounts {
		c.secrets[name] = access.NewToken()
		credentials = append(credentials, access.Credential{Name: name, Accounts: []string{name}, Hash: access.HashOf(c.secrets[name])})
	}
	registry, err := access.NewRegistry(credentials...)
	if err != nil {
		t.Fatal(err)
	}
	colo := &fakeColo{name: "den01", trace: func(ctx context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
		account := access.PrincipalOf(ctx).Account
		c.duty.change(account, 1)
		defer c.duty.change(account, -1)
		if s := c.limiter.Stats(); s.Waiting > crowdLimits().Queue || s.Running > crowdLimits().Traces {
			t.Errorf("%d requests wait and %d traces run", s.Waiting, s.Running)
		}
		if err := after(ctx, 700*time.Millisecond); err != nil {
			return nil, err
		}
		return direct(target), nil
	}}
	c.handler = New(Config{Service: newService(t, colo), Log: quiet(), Limiter: c.limiter, Credentials: registry})
	return c
}

// ask sends one request and counts its answer.
func (c *crowd) ask(t *testing.T, account string) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pathOf(account), strings.NewReader(goodBody))
	r.Header.Set("Authorization", "Bearer "+c.secrets[account])
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[w.Code]++
	if w.Code == http.StatusOK {
		c.served[account]++
	} else if w.Header().Get("Retry-After") == "" {
		t.Errorf("%d without Retry-After", w.Code)
	}
}

// TestThousandRequests: a crowd of two accounts, one of which comes first, at
// small limits. Each request is answered, no limit is exceeded, and the
// accounts are served alike.
func TestThousandRequests(t *testing.T) {
	const each = 500
	for _, tt := range []struct {
		name  string
		over  time.Duration // in which the requests come
		wants []int
	}{
		{"at once", 0, []int{200, 503}},
		{"within half a minute", 30 * time.Second, []int{200, 429, 503}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, "one", "two")
				var wg sync.WaitGroup
				for _, account := range []string{"one", "two"} {
					for i := range each {
						wg.Go(func() {
							time.Sleep(tt.over * time.Duration(i) / each)
							c.ask(t, account)
						})
					}
					synctest.Wait()
				}
				wg.Wait()
				c.check(t, 2*each, tt.over, tt.wants)
			})
		})
	}
}

// check holds what happened to the requests, which came over a time.
func (c *crowd) check(t *testing.T, requests int, over time.Duration, wants []int) {
	t.Helper()
	for _, status := range wants {
		if c.answers[status] == 0 {
			t.Errorf("no answer %d", status)
		}
	}
	if c.answers[200]+c.answers[429]+c.answers[503] != requests {
		t.Errorf("answers by status: %v", c.answers)
	}
	if most := c.duty.most; most["all"] != crowdLimits().Traces || max(most["one"], most["two"]) > crowdLimits().TracesPerToken {
		t.Errorf("most traces at once: %v", most)
	}
	windows := int((over+crowdLimits().Window-1)/crowdLimits().Window) + 1
	for account, n := range c.served {
		if n > windows*crowdLimits().Requests {
			t.Errorf("%s was served %d times in %d windows", account, n, windows)
		}
	}
	if one, two := c.served["one"], c.served["two"]; 10*max(one-two, two-one) > max(one, two) {
		t.Errorf("one was served %d times, the other %d", one, two)
	}
	if s := c.limiter.Stats(); s.Admitted+s.Running+s.Waiting != 0 {
		t.Errorf("left inside: %+v", s)
	}
	t.Logf("answers %v, served %v", c.answers, c.served)
}
