package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// Trace is one of scamper's traceroutes.
type Trace struct {
	Completed bool // the target answered
	Probes    int  // sent
	Readings  []Reading
}

// scamperTrace is the part of scamper's JSON that is of interest here.
type scamperTrace struct {
	Type       string
	Dst        netip.Addr
	StopReason string `json:"stop_reason"`
	ProbeCount int    `json:"probe_count"`
	Hops       []struct {
		ProbeTTL int     `json:"probe_ttl"`
		ProbeID  int     `json:"probe_id"` // from 1
		RTT      float64 `json:"rtt"`      // milliseconds
	}
}

// Scamper reads what scamper(1) writes with -O json: an object a line, of which
// those of type trace matter. Probes without an answer are not in it.
func Scamper(output string) ([]Trace, error) {
	decoder := json.NewDecoder(strings.NewReader(output))
	var traces []Trace
	for {
		var object scamperTrace
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return traces, nil
		} else if err != nil {
			return nil, fmt.Errorf("peer: scamper's output: %w", err)
		}
		if object.Type != "trace" {
			continue
		}
		t := Trace{Completed: object.StopReason == "COMPLETED", Probes: object.ProbeCount}
		for _, hop := range object.Hops {
			t.Readings = append(t.Readings, Reading{
				Target:  object.Dst,
				TTL:     hop.ProbeTTL,
				Ordinal: hop.ProbeID - 1,
				RTT:     time.Duration(hop.RTT * float64(time.Millisecond)).Round(time.Nanosecond),
			})
		}
		traces = append(traces, t)
	}
}
