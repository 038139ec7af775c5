package metrics

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api"
	"probe-agent/colo"
	"probe-agent/prober"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// fakeTracer answers every trace alike.
type fakeTracer struct {
	result *traceroute.Result
	err    error
}

func (f fakeTracer) TraceFirst(context.Context, traceroute.Spec, []netip.Addr, prober.Feed) (*traceroute.Result, error) {
	return f.result, f.err
}

// twoAnswered is a trace with three probes on the path, two of them answered,
// and one beyond it.
func twoAnswered(stop traceroute.Stop) *traceroute.Result {
	answer := func(rtt time.Duration) *traceroute.Answer {
		return &traceroute.Answer{From: netip.MustParseAddr("192.0.2.1"), RTT: rtt}
	}
	return &traceroute.Result{
		Duration: 250 * time.Millisecond,
		Stop:     stop,
		Probes: []traceroute.Probe{
			{TTL: 1, Answer: answer(500 * time.Millisecond)}, {TTL: 2}, {TTL: 3, Answer: answer(250 * time.Millisecond)},
		},
		Counts: traceroute.Counts{Beyond: 1},
	}
}

// moved returns the series of traces and RTTs that are not zero, without
// their buckets.
func moved(body string) map[string]string {
	series := map[string]string{}
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, short, ours := strings.Cut(name, "probe_agent_")
		if ours && (strings.HasPrefix(short, "trace") || strings.HasPrefix(short, "rtt")) && !strings.Contains(short, "_bucket") && value != "0" {
			series[short] = value
		}
	}
	return series
}

func TestTracer(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	numbers := func(method, family string) map[string]string {
		both := `{family="` + family + `",method="` + method + `"}`
		return map[string]string{
			"trace_probes_total" + both: "4", "rtt_seconds_sum" + both: "0.75", "rtt_seconds_count" + both: "2",
			`trace_duration_seconds_sum{method="` + method + `"}`: "0.25", `trace_duration_seconds_count{method="` + method + `"}`: "1",
		}
	}
	tests := []struct {
		name    string
		ctx     context.Context
		spec    traceroute.Spec
		tracer  fakeTracer
		total   string
		numbers map[string]string
	}{
		{
			"default method, target answers", t.Context(),
			traceroute.Spec{Target: v4},
			fakeTracer{result: twoAnswered(traceroute.Reached)},
			`{family="ipv4",method="icmp",outcome="reached"}`, numbers("icmp", "ipv4"),
		},
		{
			"mapped address is IPv4", t.Context(),
			traceroute.Spec{Target: netip.MustParseAddr("::ffff:192.0.2.1"), Method: traceroute.GREICMP},
			fakeTracer{result: twoAnswered(traceroute.Blocked)},
			`{family="ipv4",method="gre+icmp",outcome="blocked"}`, numbers("gre+icmp", "ipv4"),
		},
		{
			"silent target over IPv6", t.Context(),
			traceroute.Spec{Target: v6, Method: traceroute.TCP},
			fakeTracer{result: twoAnswered(traceroute.Exhausted)},
			`{family="ipv6",method="tcp",outcome="exhausted"}`, numbers("tcp", "ipv6"),
		},
		{
			"client gone", ended,
			traceroute.Spec{Target: v6, Method: traceroute.UDP},
			fakeTracer{err: context.Canceled},
			`{family="ipv6",method="udp",outcome="abandoned"}`, nil,
		},
		{
			"no way out", t.Context(),
			traceroute.Spec{Target: v4, Method: traceroute.GRE},
			fakeTracer{err: errors.New("no route")},
			`{family="ipv4",method="gre",outcome="failed"}`, nil,
		},
		{
			"no method", t.Context(),
			traceroute.Spec{Target: v4, Method: 99},
			fakeTracer{err: errors.New("no method")},
			`{family="ipv4",method="invalid",outcome="failed"}`, nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := New(Config{})
			result, err := m.Tracer(tt.tracer).TraceFirst(tt.ctx, tt.spec, []netip.Addr{tt.spec.Target}, prober.Feed{})
			if result != tt.tracer.result || err != tt.tracer.err {
				t.Errorf("got %v, %v; want what the tracer said", result, err)
			}
			want := map[string]string{"traces_total" + tt.total: "1"}
			maps.Copy(want, tt.numbers)
			if diff := cmp.Diff(want, moved(scrape(t, m))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// One trace over the whole HTTP API shows in the next scrape of the same.
func TestThroughAPI(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	m := New(Config{Log: log})
	local := colo.New(colo.Config{Info: traceroute.Colo{Name: "den01"}, Tracer: m.Tracer(fakeTracer{result: twoAnswered(traceroute.Reached)})})
	roster, err := service.NewRoster(local)
	if err != nil {
		t.Fatal(err)
	}
	handler := api.New(api.Config{Service: service.New(service.Config{Roster: roster}), Log: log, Observer: m, Metrics: m})
	server := httptest.NewServer(handler)
	defer server.Close()
	for path, want := range map[string]int{
		"/accounts/a/diagnostics/traceroute":           http.StatusOK,
		"/client/v4/accounts/a/diagnostics/traceroute": http.StatusOK,
		"/accounts/%20/diagnostics/traceroute":         http.StatusNotFound,
		"/nowhere":                                     http.StatusNotFound,
		"/metrics":                                     http.StatusMethodNotAllowed,
	} {
		response, err := server.Client().Post(server.URL+path, "", strings.NewReader(`{"targets":["192.0.2.1"]}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("POST %s: %s, want %d", path, response.Status, want)
		}
	}
	body := scrape(t, handler)
	for _, line := range []string{
		`probe_agent_http_requests_total{code="200",route="/accounts/{account_id}/diagnostics/traceroute"} 1`,
		`probe_agent_http_requests_total{code="200",route="/client/v4/accounts/{account_id}/diagnostics/traceroute"} 1`,
		`probe_agent_http_requests_total{code="404",route="/accounts/{account_id}/diagnostics/traceroute"} 1`,
		`probe_agent_http_requests_total{code="404",route="none"} 1`,
		`probe_agent_http_requests_total{code="405",route="none"} 1`,
		`probe_agent_http_request_duration_seconds_count{route="none"} 2`,
		`probe_agent_http_requests_in_flight 1`,
		`probe_agent_traces_total{family="ipv4",method="icmp",outcome="reached"} 2`,
		`probe_agent_rtt_seconds_count{family="ipv4",method="icmp"} 4`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, ours(body))
		}
	}
}
