package peer_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"probe-agent/bench/peer"
)

// The files in testdata are what the programs printed in a lab of package
// kernel: traceroute 2.1.2, mtr 0.95, scamper 20211212, go 1.26.

var (
	byAddress = cmpopts.EquateComparable(netip.Addr{})
	target    = netip.MustParseAddr("198.19.0.1")
)

func golden(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// hop returns the readings of one TTL, given in microseconds; negative ones
// had no answer.
func hop(to netip.Addr, ttl int, micro ...int) []peer.Reading {
	var readings []peer.Reading
	for i, µs := range micro {
		rtt := time.Duration(µs) * time.Microsecond
		if µs < 0 {
			rtt = peer.Unanswered
		}
		readings = append(readings, peer.Reading{Target: to, TTL: ttl, Ordinal: i, RTT: rtt})
	}
	return readings
}

func join(hops ...[]peer.Reading) []peer.Reading {
	var all []peer.Reading
	for _, h := range hops {
		all = append(all, h...)
	}
	return all
}

func TestTraceroute(t *testing.T) {
	for _, c := range []struct {
		file string
		want []peer.Reading
	}{
		{"traceroute-diamond.txt", join(
			hop(target, 1, 38, 8, 7), hop(target, 2, 15, 14, 9), hop(target, 3, 16, 12, 10), hop(target, 4, 18, 12, 12))},
		{"traceroute-unreachable.txt", join(
			hop(target, 1, 38, 7, 6), hop(target, 2, -1, -1, -1), hop(target, 3, 18, 11, 10))},
	} {
		t.Run(c.file, func(t *testing.T) {
			got, err := peer.Traceroute(golden(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, byAddress); diff != "" {
				t.Errorf("readings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTracerouteRefuses(t *testing.T) {
	const head = "traceroute to 198.19.0.1 (198.19.0.1), 30 hops max, 60 byte packets\n"
	for _, c := range []struct{ name, output, want string }{
		{"nothing", "", `began with ""`},
		{"no brackets", "traceroute to 198.19.0.1\n", "began with"},
		{"name", "traceroute to a (b), 30 hops max\n", "target"},
		{"no TTL", head + " one  198.18.1.2  0.1 ms\n", "invalid syntax"},
		{"no number", head + " 1  198.18.1.2  fast ms\n", "invalid duration"},
		{"unit first", head + " 1 ms\n 2 ms\nms", "invalid syntax"},
		{"negative", head + " 1  198.18.1.2  -0.1 ms\n", "negative"},
		{"blank line", head + "\n 1  198.18.1.2  0.1 ms\n", "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := peer.Traceroute(c.output); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestMTR(t *testing.T) {
	got, err := peer.MTR(golden(t, "mtr.txt"), target)
	if err != nil {
		t.Fatal(err)
	}
	// In the order of sending: the first round finds where the target is.
	reading := func(ttl, ordinal, micro int) peer.Reading {
		return hop(target, ttl, append(make([]int, ordinal), micro)...)[ordinal]
	}
	want := []peer.Reading{
		reading(1, 0, 153), reading(2, 0, -1), reading(3, 0, 76), reading(4, 0, 86),
		reading(1, 1, 65), reading(2, 1, -1), reading(3, 1, 91),
	}
	if diff := cmp.Diff(want, got, byAddress); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
}

func TestMTRRefuses(t *testing.T) {
	for _, c := range []struct{ name, output, want string }{
		{"answer to nothing", "p 0 71 33000\n", "did not send"},
		{"answer of another hop", "x 0 33000\np 1 71 33000\n", "did not send"},
		{"no number", "x 0 first\n", "expected integer"},
		{"cut off", "x 0 33000\np 0 71", "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := peer.MTR(c.output, target); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestScamper(t *testing.T) {
	got, err := peer.Scamper(golden(t, "scamper.json"))
	if err != nil {
		t.Fatal(err)
	}
	other := netip.MustParseAddr("198.19.0.2")
	want := []peer.Trace{
		{Completed: true, Probes: 8, Readings: join(
			hop(target, 1, 21, 10), hop(target, 2, 19, 13), hop(target, 3, 14, 10), hop(target, 4, 14, 16))},
		{Completed: true, Probes: 8, Readings: join(
			hop(other, 1, 18, 7), hop(other, 2, 16, 13), hop(other, 3, 25, 13), hop(other, 4, 17, 15))},
	}
	if diff := cmp.Diff(want, got, byAddress); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
	if _, err := peer.Scamper(`{"type":"trace","dst":`); err == nil {
		t.Error("half an object is no error")
	}
}

func TestGoTest(t *testing.T) {
	got, err := peer.GoTest(golden(t, "gotest.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 16 {
		t.Fatalf("%d benchmarks", len(got))
	}
	want := peer.Benchmark{
		Name:   "Parse/time-exceeded-udp-v4-2",
		Values: map[string]float64{"ns/op": 72.81, "B/op": 0, "allocs/op": 0},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("benchmark (-want +got):\n%s", diff)
	}
	if _, err := peer.GoTest("BenchmarkX 1 fast ns/op\n"); err == nil {
		t.Error("a word in the place of a number is no error")
	}
}

func TestTCPDumpDropped(t *testing.T) {
	const words = "44 packets captured\n44 packets received by filter\n%s packet%s dropped by kernel\n"
	for _, c := range []struct {
		name, words string
		want        int
		fails       bool
	}{
		{"none", strings.NewReplacer("%s packet%s", "0 packets").Replace(words), 0, false},
		{"one", strings.NewReplacer("%s packet%s", "1 packet").Replace(words), 1, false},
		{"many", strings.NewReplacer("%s packet%s", "1234 packets").Replace(words), 1234, false},
		{"not said", "tcpdump: l1: No such device exists\n", 0, true},
		{"no number", "many packets dropped by kernel\n", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := peer.TCPDumpDropped(c.words)
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for words, want := range map[string]string{
		"Modern traceroute for Linux, version 2.1.2\nCopyright (c) 2016  Dmitry Butskoy": "2.1.2",
		"mtr 0.95\n":                 "0.95",
		"scamper version 20211212\n": "20211212",
		"tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\n": "4.99.3",
		"who knows\n": "unknown",
		"":            "unknown",
	} {
		if got := peer.Version(words); got != want {
			t.Errorf("Version(%q) = %q, want %q", words, got, want)
		}
	}
}
