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

// named returns the names of the values from first to last.
func named[T interface {
	~uint8
	String() string
}](first, last T) (names []string) {
	for v := first; v <= last; v++ {
		names = append(names, v.String())
	}
	return names
}

// Every name that a rendering can write is one that the contract lists, and
// the contract lists no other.
func TestNativeNames(t *testing.T) {
	schemas := loadLaw(t).doc.Components.Schemas
	answer, trace := schemas["ProbeAnswer"].Value.Properties, schemas["Trace"].Value.Properties
	options := trace["options"].Value.Properties
	var methods []string
	for _, m := range traceroute.Methods() {
		methods = append(methods, m.String())
	}
	for field, tt := range map[string]struct {
		listed []any
		names  []string
	}{
		"kind":        {answer["kind"].Value.Enum, named(traceroute.EchoReply, traceroute.Decapsulated)},
		"clock":       {answer["clock"].Value.Enum, named(traceroute.KernelClock, traceroute.UserClock)},
		"packet_type": {options["packet_type"].Value.Enum, methods},
		"family":      {options["family"].Value.Enum, named(traceroute.AnyFamily, traceroute.IPv6Only)},
		"stop":        {trace["stop"].Value.Enum, named(traceroute.Reached, traceroute.Exhausted)},
		"reason":      {schemas["TraceFailure"].Value.Properties["reason"].Value.Enum, named(traceroute.Unresolved, traceroute.Unsent)},
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
