package api

import (
	"encoding/json"
	"os"
	"testing"

	"probe-agent/traceroute"
)

// The golden rendering of a trace with everything in it is what the contract
// says.
func TestNativeFormKeepsContract(t *testing.T) {
	text, err := os.ReadFile("v1/testdata/trace.json")
	if err != nil {
		t.Fatal(err)
	}
	var trace any
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatal(err)
	}
	if err := loadLaw(t).doc.Components.Schemas["Trace"].Value.VisitJSON(trace); err != nil {
		t.Error(err)
	}
}

// Every name that a rendering can write is one that the contract lists, and
// the contract lists no other.
func TestNativeNames(t *testing.T) {
	schemas := loadLaw(t).doc.Components.Schemas
	answer, trace := schemas["ProbeAnswer"].Value.Properties, schemas["Trace"].Value.Properties
	options := trace["options"].Value.Properties
	var kinds, clocks, methods, families, reasons []string
	for k := traceroute.EchoReply; k <= traceroute.Decapsulated; k++ {
		kinds = append(kinds, k.String())
	}
	for c := traceroute.KernelClock; c <= traceroute.UserClock; c++ {
		clocks = append(clocks, c.String())
	}
	for m := traceroute.ICMP; m <= traceroute.GREICMP; m++ {
		methods = append(methods, m.String())
	}
	for f := AnyFamily; f <= IPv6Only; f++ {
		families = append(families, f.String())
	}
	for c := Unresolved; c <= Unsent; c++ {
		reasons = append(reasons, c.String())
	}
	for field, tt := range map[string]struct {
		listed []any
		names  []string
	}{
		"kind":        {answer["kind"].Value.Enum, kinds},
		"clock":       {answer["clock"].Value.Enum, clocks},
		"packet_type": {options["packet_type"].Value.Enum, methods},
		"family":      {options["family"].Value.Enum, families},
		"reason":      {schemas["TraceFailure"].Value.Properties["reason"].Value.Enum, reasons},
	} {
		if len(tt.listed) != len(tt.names) {
			t.Errorf("%s: %q, the contract lists %q", field, tt.names, tt.listed)
			continue
		}
		for i, name := range tt.names {
			if tt.listed[i] != name {
				t.Errorf("%s: %q is %q in the contract", field, name, tt.listed[i])
			}
		}
	}
}
