package metrics

import (
	"fmt"
	"strings"
	"testing"
)

// However many names come, the number of series is bounded, and none that was
// counted before is lost.
func TestAskersAreBounded(t *testing.T) {
	m := New(Config{})
	for i := range maxAskers + 100 {
		m.Asked(fmt.Sprint("name-", i), 0)
	}
	m.Asked("name-0", 0)
	body := scrape(t, m)
	if n := strings.Count(body, `probe_agent_requests_total{credential="name-`); n != maxAskers {
		t.Errorf("%d names, want %d", n, maxAskers)
	}
	for _, line := range []string{
		`probe_agent_requests_total{credential="name-0",error="0"} 2`,
		`probe_agent_requests_total{credential="(other)",error="0"} 100`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}
