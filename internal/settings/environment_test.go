package settings

import (
	"maps"
	"strings"
	"testing"
)

func TestEnvironmentCheck(t *testing.T) {
	parsed, _ := parse(t)
	const (
		is   = "environment variable "
		none = " is not a setting"
	)
	service := environment{"PROBE_AGENT_FOO_SERVICE_HOST": "192.0.2.1", "PROBE_AGENT_SERVICE_HOST": "192.0.2.2"}
	tests := []struct{ variable, value, want string }{
		{"PROBE_AGENT_RATE", "5", ""},
		{"PROBE_AGENT_MAX_TRACES", "5", ""},
		{"PROBE_AGENT_RATTE", "", ""},
		{"PROBE_AGENT_RATTE", "5", is + "PROBE_AGENT_RATTE" + none + "; did you mean PROBE_AGENT_RATE?"},
		{"PROBE_AGENT_ASN_DNS_IPV_4", "x", is + "PROBE_AGENT_ASN_DNS_IPV_4" + none + "; did you mean PROBE_AGENT_ASN_DNS_IPV4?"},
		{"PROBE_AGENT_PORTS", "5", is + "PROBE_AGENT_PORTS" + none},
		{"PROBE_AGENT_BAR_PORT", "5", is + "PROBE_AGENT_BAR_PORT" + none}, // no such service
		{"PROBE_AGENT_FOO_PORT_8080", "5", is + "PROBE_AGENT_FOO_PORT_8080" + none},
		{"PROBE_AGENT_PORT", "tcp://192.0.2.2:8080", ""},
		{"PROBE_AGENT_SERVICE_PORT", "8080", ""},
		{"PROBE_AGENT_SERVICE_PORT_HTTP_2", "8080", ""},
		{"PROBE_AGENT_PORT_8080_TCP", "tcp://192.0.2.2:8080", ""},
		{"PROBE_AGENT_PORT_8080_TCP_ADDR", "192.0.2.2", ""},
		{"PROBE_AGENT_FOO_PORT_53_UDP_PROTO", "udp", ""},
		{"PROBE_AGENT_FOO_SERVICE_PORT", "53", ""},
	}
	for _, tt := range tests {
		e := environment{tt.variable: tt.value}
		maps.Copy(e, service)
		got := ""
		if err := e.check(parsed.Model.Node); err != nil {
			got = err.Error()
		}
		if got != tt.want && (tt.want == "" || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s=%s: %q, want %q", tt.variable, tt.value, got, tt.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"RATTE", "RATE", 1}} {
		if ab, ba := editDistance(tt.a, tt.b), editDistance(tt.b, tt.a); ab != tt.want || ba != tt.want {
			t.Errorf("%q and %q: %d and %d, want %d", tt.a, tt.b, ab, ba, tt.want)
		}
	}
}
