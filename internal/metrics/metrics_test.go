package metrics

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"probe-agent/internal/rawsock"
	"probe-agent/lookup"
	"probe-agent/prober"
	"probe-agent/quota"
)

var update = flag.Bool("update", false, "write the golden file anew")

// everything has another value in every field, so that none can stand in for
// another.
func everything() Config {
	return Config{
		CertificateExpires: func() time.Time { return time.Unix(701, 0) },
		Engine: func() prober.Totals {
			return prober.Totals{
				Sent: 101, Busy: 102, Refused: 103, ReceiveErrors: 104,
				Matched: 105, Duplicate: 106, Late: 107, Forged: 108, Foreign: 109, Malformed: 110,
				Running: 111, KernelClock: 112, KernelReceiveClock: 113, UserClock: 114,
				RateWaits: 115, NearWaits: 116, PrefixWaits: 117,
			}
		},
		Sockets: func() rawsock.Status {
			return rawsock.Status{
				IPv6: errors.New("no IPv6 here"), StampMode: "counter", ReceiveStamps: true,
				ReceiveBuffer: 201, SendBuffer: 202, Drops: 203, Truncated: 204, LostStamps: 205, ForeignErrors: 206,
			}
		},
		Lookup: func() lookup.Stats {
			return lookup.Stats{
				Names: lookup.SourceStats{
					Hits: 301, Misses: 302, Late: 303, Found: 304, Absent: 305, Refused: 306, Failed: 307,
					Timeouts: 308, Dropped: 309, Entries: 310, Flying: 311, Waiting: 312, Unasked: 313,
				},
				Origins: lookup.SourceStats{
					Hits: 401, Misses: 402, Late: 403, Found: 404, Absent: 405, Refused: 406, Failed: 407,
					Timeouts: 408, Dropped: 409, Entries: 410, Flying: 411, Waiting: 412, Unasked: 413,
				},
				Servers: lookup.ServerStats{SetAside: 511, Outages: 512},
				Table:   lookup.TableStats{Prefixes: 501, Loaded: time.Unix(502, 5e8), LoadTime: 503 * time.Millisecond},
			}
		},
		Limiter: func() quota.Stats {
			return quota.Stats{
				Admitted: 701, Waiting: 702, Running: 703, Tokens: 704, Waits: 705, Waited: 706500 * time.Millisecond,
				Accounts: []quota.AccountStats{
					{Account: "", Requests: 711, Traces: 712, Refused: [quota.Reasons]uint64{713, 714, 715, 716}},
					{Account: quota.OtherAccounts, Requests: 721, Traces: 722, Refused: [quota.Reasons]uint64{723, 724, 725, 726}},
					{Account: "acme", Requests: 731, Traces: 732, Refused: [quota.Reasons]uint64{733, 734, 735, 736}},
				},
			}
		},
		Kept:  func() Kept { return Kept{Traces: 801, Bytes: 802} },
		Build: Build{Version: "1.2.3", Commit: "0123abcd", Go: "go1.26"},
		Log:   slog.New(slog.DiscardHandler),
	}
}

// scrape is GET /metrics as Prometheus sends it.
func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %s, error %v: %s", response.Status, err, body)
	}
	return string(body)
}

// ours leaves out what the collectors of Go and of the process add.
func ours(body string) string {
	var b strings.Builder
	own := regexp.MustCompile(`^(# (HELP|TYPE) )?probe_agent_`)
	for line := range strings.Lines(body) {
		if own.MatchString(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// exercised has seen something of everything that it counts itself.
func exercised() *Metrics {
	m := New(everything())
	end := m.Begin()
	m.Begin()("/healthz", http.StatusOK, 2*time.Millisecond)
	m.Begin()("", http.StatusNotFound, 500*time.Microsecond)
	end("/client/v4/accounts/{account_id}/diagnostics/traceroute", http.StatusServiceUnavailable, 3*time.Second)
	for _, code := range []int{0, 0, 9109} {
		m.Asked("ops", code)
	}
	m.Asked("", 10000)
	m.Reloaded(true)
	m.Reloaded(false)
	m.reloads.at.Set(601.5)
	return m
}

func TestGolden(t *testing.T) {
	got := ours(scrape(t, exercised()))

	golden := filepath.Join("testdata", "metrics.prom")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLint(t *testing.T) {
	m := New(everything())
	m.Begin()("/healthz", http.StatusOK, 0)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// The collectors of Go and of the process, and whatever else can be had, come
// also when one part of the agent is broken or was never there.
func TestBrokenParts(t *testing.T) {
	tests := []struct {
		name    string
		breakIt func(*Config)
		gone    []string
		logged  string
	}{
		{"engine panics", func(c *Config) { c.Engine = func() prober.Totals { panic("no engine") } }, []string{"probe_agent_probes_sent_total"}, "no engine"},
		{"lookup panics", func(c *Config) { c.Lookup = func() lookup.Stats { panic("no cache") } }, []string{"probe_agent_lookup_names_late_total"}, "no cache"},
		{"room panics", func(c *Config) { c.Limiter = func() quota.Stats { panic("no room") } }, []string{"probe_agent_room_requests", "probe_agent_account_traces_total"}, "no room"},
		{"nothing there", func(c *Config) { c.Engine, c.Sockets, c.Lookup, c.Limiter = nil, nil, nil, nil }, []string{
			"probe_agent_probes_sent_total", "probe_agent_receive_drops_total", "probe_agent_socket_info", "probe_agent_lookup_names_late_total",
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			c := everything()
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
			tt.breakIt(&c)
			body := scrape(t, New(c))
			for _, name := range []string{"probe_agent_build_info{", "probe_agent_traces_total{", "go_goroutines ", "process_cpu_seconds_total "} {
				if !strings.Contains(body, "\n"+name) {
					t.Errorf("no %s", name)
				}
			}
			for _, name := range tt.gone {
				if strings.Contains(body, name) {
					t.Errorf("%s is shown", name)
				}
			}
			if !strings.Contains(log.String(), tt.logged) || (tt.logged == "") != (log.Len() == 0) {
				t.Errorf("logged %q, want something with %q", log.String(), tt.logged)
			}
		})
	}
}
