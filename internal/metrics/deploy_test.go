package metrics

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The files that warn of what the metrics say, and that show it.
const (
	rulesFile     = "../../deploy/prometheus/rules.yaml"
	dashboardFile = "../../deploy/grafana/probe-agent.json"
)

// seriesOf are the series of a scrape by the name of their metric.
func seriesOf(body string) map[string]string {
	series := map[string]string{}
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			series[line[:strings.IndexAny(line, "{ ")]] += line
		}
	}
	return series
}

// What alerts and panels ask for exists: each metric, each label, and each value
// that a label is compared with, where the values are all known beforehand.
func TestDeployedQueries(t *testing.T) {
	series := seriesOf(scrape(t, exercised()))
	metric := regexp.MustCompile(`\b((?:probe_agent|process|go)_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcher := regexp.MustCompile(`([a-z_]+) *(=~|!~|!=|=) *"([^"]*)"`)
	// Labels of the scraper, and those whose values depend on what has happened.
	scraper, open := map[string]bool{"job": true, "instance": true}, map[string]bool{"code": true, "error": true, "route": true}
	for _, path := range []string{rulesFile, dashboardFile} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Quotes are escaped within JSON.
		queries := metric.FindAllStringSubmatch(strings.ReplaceAll(string(text), `\"`, `"`), -1)
		if len(queries) < 10 {
			t.Errorf("%s: only %d metrics", path, len(queries))
		}
		for _, q := range queries {
			all, ok := series[q[1]]
			if !ok {
				t.Errorf("%s: there is no %s", path, q[1])
			}
			for _, m := range matcher.FindAllStringSubmatch(q[2], -1) {
				label, op, value := m[1], m[2], m[3]
				exact := !open[label] && (op == "=" || op == "!=")
				if ok && !scraper[label] && (!strings.Contains(all, label+`="`) || exact && !strings.Contains(all, label+`="`+value+`"`)) {
					t.Errorf("%s: no %s has %s=%q", path, q[1], label, value)
				}
			}
		}
	}
}

// dashboard is what is looked at of a dashboard of Grafana.
type dashboard struct {
	Title, UID string
	Panels     []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RefID, Expr string }
	}
}

// Panels have queries, and each a place of its own.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) == 0 {
		t.Error("no title, uid or panels")
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s: no query", p.Title)
		}
		for _, query := range p.Targets {
			if query.Expr == "" || query.RefID == "" {
				t.Errorf("%s: an empty query", p.Title)
			}
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s is over %q, or over the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// What Prometheus itself says of the metrics and the alerts.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian package prometheus)")
	}
	tests := []struct {
		name  string
		args  []string
		stdin string
	}{
		{"metrics", []string{"check", "metrics"}, scrape(t, exercised())},
		{"rules", []string{"check", "rules", "rules.yaml"}, ""},
		{"alerts", []string{"test", "rules", "rules_test.yaml"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check := exec.CommandContext(t.Context(), promtool, tt.args...)
			check.Dir = filepath.Dir(rulesFile)
			check.Stdin = strings.NewReader(tt.stdin)
			// A duplicate rule, for one, is said with exit code 0.
			if out, err := check.CombinedOutput(); err != nil || bytes.Contains(out, []byte("duplicate")) {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// Every alert has a test in which it comes.
func TestAlertsAreTested(t *testing.T) {
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(filepath.Dir(rulesFile), "rules_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllSubmatch(rules, -1)
	if len(alerts) == 0 {
		t.Fatal("no alerts")
	}
	for _, alert := range alerts {
		comes := regexp.MustCompile(`alertname: ` + string(alert[1]) + `, eval_time: \w+, exp_alerts: \[\n`)
		if !comes.Match(tests) {
			t.Errorf("%s: no test in which it comes", alert[1])
		}
	}
}
