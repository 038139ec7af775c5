package text

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/stats"
	"probe-agent/traceroute"
)

// twoHops is a trace of a silent and an answering hop, the second seen at two
// addresses.
func twoHops(stop traceroute.Stop) *traceroute.Result {
	answer := func(from string, rtt time.Duration) *traceroute.Answer {
		return &traceroute.Answer{From: netip.MustParseAddr(from), RTT: rtt, Arrival: stop == traceroute.Reached}
	}
	return &traceroute.Result{
		Spec:     traceroute.Spec{Target: netip.MustParseAddr("192.0.2.9"), Method: traceroute.UDP, MaxTTL: 2, PacketsPerTTL: 3},
		Source:   netip.MustParseAddr("192.0.2.1"),
		Duration: 1234567 * time.Microsecond,
		Probes: []traceroute.Probe{
			{TTL: 1, Flow: 0},
			{TTL: 1, Flow: 1},
			{TTL: 1, Flow: 2},
			{TTL: 2, Flow: 0, Answer: answer("192.0.2.9", 14*time.Microsecond)},
			{TTL: 2, Flow: 1, Answer: answer("192.0.2.9", 16*time.Microsecond)},
			{TTL: 2, Flow: 2, Answer: answer("192.0.2.7", 12345678*time.Nanosecond)},
		},
		Stop: stop,
	}
}

func texts(lines []Line) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = line.String()
	}
	return all
}

func TestTable(t *testing.T) {
	body := []string{
		"hop   loss  node             answers    min ms   mean ms    max ms    dev ms",
		"  1   100%  NO RESPONSE          0/3",
		"  2     0%  192.0.2.9            2/3     0.014     0.015     0.016     0.001",
		"            192.0.2.7            1/3    12.346    12.346    12.346     0.000",
	}
	tests := []struct {
		name, target string
		stop         traceroute.Stop
		heading      string
		ending       string
	}{
		{"address", "192.0.2.9", traceroute.Reached, "192.0.2.9 from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", "reached in 1.235s"},
		{"name", "example.com", traceroute.Exhausted, "example.com (192.0.2.9) from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", "not reached within 2 hops; 1.235s"},
		{"blocked", "192.0.2.9", traceroute.Blocked, "192.0.2.9 from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", "not reached: the path ends at an unreachable answer; 1.235s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := append(append([]string{tt.heading}, body...), tt.ending)
			if diff := cmp.Diff(want, texts(Table(tt.target, twoHops(tt.stop), nil))); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRunning: of a trace that runs neither loss nor silence is known yet.
func TestRunning(t *testing.T) {
	r := twoHops(traceroute.Running)
	want := []string{
		"example.com: udp, 3 packets per hop, 2 hops at most",
		"hop   loss  node             answers    min ms   mean ms    max ms    dev ms",
		"  1         …                    0/3",
		"  2         192.0.2.9            2/3     0.014     0.015     0.016     0.001",
		"            192.0.2.7            1/3    12.346    12.346    12.346     0.000",
		"running",
	}
	if diff := cmp.Diff(want, texts(Running("example.com", r.Spec, stats.Summarize(r).Hops))); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestTableNames: what is known of a node stands behind its labels.
func TestTableNames(t *testing.T) {
	notes := traceroute.Notes{
		netip.MustParseAddr("192.0.2.9"): {ASN: 64500, Name: "target.example"},
		netip.MustParseAddr("192.0.2.7"): {ASN: 64501},
	}
	want := []string{
		"  2     0%  192.0.2.9            2/3     0.014     0.015     0.016     0.001  AS64500 target.example",
		"            192.0.2.7            1/3    12.346    12.346    12.346     0.000  AS64501",
	}
	if diff := cmp.Diff(want, texts(Table("192.0.2.9", twoHops(traceroute.Reached), notes)[3:5])); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestTableStyles: loss and the end of the path stand out, an error more than
// loss.
func TestTableStyles(t *testing.T) {
	r := twoHops(traceroute.Blocked)
	r.Probes[3].Answer = nil
	r.Probes[4].Answer.Kind = traceroute.Unreachable
	want := map[string]Style{
		" 100%": Bad, "  33%": Poor, "  NO RESPONSE    ": Dim, "  !N": Bad, "not reached": Bad,
	}
	got := map[string]Style{}
	for _, line := range Table("192.0.2.9", r, nil)[2:] {
		for _, s := range line {
			if s.Style != Plain {
				got[s.Text] = s.Style
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("styles (-want +got):\n%s", diff)
	}
}

// TestTableLimited: loss that is a limit is marked and is no bad sign. Over
// several rounds it is one as long as all loss at that TTL is.
func TestTableLimited(t *testing.T) {
	limited := twoHops(traceroute.Reached)
	limited.Probes[3].Answer = nil
	limited.Limited = []uint8{2}
	followed := NewFollowed("192.0.2.9")
	followed.Add(twoHops(traceroute.Reached))
	followed.Add(limited)
	want := []string{
		"  2    33%  192.0.2.7            1/3    12.346    12.346    12.346     0.000  limited",
		"            192.0.2.9            1/3     0.016     0.016     0.016     0.000",
		"reached in 1.235s; loss at TTL 2 is a limit on ICMP errors, not loss of the path",
	}
	if diff := cmp.Diff(want, texts(Table("192.0.2.9", limited, nil)[3:])); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if got := Table("192.0.2.9", limited, nil)[3][1]; got != (Span{Text: "  33%", Style: Dim}) {
		t.Errorf("loss is %+v", got)
	}
	last := func() string { lines := texts(followed.Table(nil)); return lines[len(lines)-1] }
	if got := last(); !strings.Contains(got, "loss at TTL 2") {
		t.Errorf("last line %q", got)
	}
	lossy := twoHops(traceroute.Reached)
	lossy.Probes[3].Answer = nil
	followed.Add(lossy)
	if got := last(); strings.Contains(got, "limit") {
		t.Errorf("last line %q", got)
	}
}

// TestFollowed: rounds add up, and the last line is about the latest.
func TestFollowed(t *testing.T) {
	f := NewFollowed("192.0.2.9")
	f.Add(twoHops(traceroute.Reached))
	f.Add(twoHops(traceroute.Exhausted))
	want := []string{
		"192.0.2.9 from 192.0.2.1: udp, 3 packets per hop, 2 hops at most",
		"hop   loss  node             answers    min ms   mean ms    max ms    dev ms",
		"  1   100%  NO RESPONSE          0/6",
		"  2     0%  192.0.2.9            4/6     0.014     0.015     0.016     0.001",
		"            192.0.2.7            2/6    12.346    12.346    12.346     0.000",
		"round 2: not reached within 2 hops; 1.235s",
	}
	if diff := cmp.Diff(want, texts(f.Table(nil))); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestRedactedNode: who is not to be told is not.
func TestRedactedNode(t *testing.T) {
	r := traceroute.Redact(twoHops(traceroute.Exhausted), 2)
	if got := Table("192.0.2.9", r, nil)[4].String(); got != "            REDACTED             1/3    12.346    12.346    12.346     0.000" {
		t.Errorf("line %q", got)
	}
}

func TestCSV(t *testing.T) {
	var out strings.Builder
	w := NewCSV(&out)
	notes := traceroute.Notes{netip.MustParseAddr("192.0.2.9"): {ASN: 64500, Name: "target.example"}}
	for round := range 2 {
		if err := w.Trace(round+1, "a,b", twoHops(traceroute.Reached), notes); err != nil {
			t.Fatal(err)
		}
	}
	rows := `,"a,b",192.0.2.9,reached,1,3,3,,,,,0,,,,
R,"a,b",192.0.2.9,reached,2,3,0,192.0.2.9,AS64500,target.example,,2,0.014,0.015,0.016,0.001414
R,"a,b",192.0.2.9,reached,2,3,0,192.0.2.7,,192.0.2.7,,1,12.345678,12.345678,12.345678,0
`
	want := "round,target,address,stop,ttl,sent,lost,node,asn,name,labels,answers,min_ms,mean_ms,max_ms,std_dev_ms\n" +
		"1" + strings.ReplaceAll(rows, "R,", "1,") + "2" + strings.ReplaceAll(rows, "R,", "2,")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("csv (-want +got):\n%s", diff)
	}
}
