package capture_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"probe-agent/bench/capture"
)

// capturedFile is traceroute -I -q 2 over three routers, recorded by tcpdump
// 4.99.3 with stamps in nanoseconds.
func capturedFile(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/diamond.pcap")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestExchanges(t *testing.T) {
	got, err := capture.Exchanges(bytes.NewReader(capturedFile(t)))
	if err != nil {
		t.Fatal(err)
	}
	// Two probes to each of 11 TTLs: as many as fit into traceroute's window
	// after the target, at TTL 4, was first heard. The differences are those
	// of the times that tcpdump -r --nano prints.
	want := map[capture.Probe]time.Duration{}
	target := netip.MustParseAddr("198.19.0.1")
	for i, rtt := range []time.Duration{
		25649, 4247, 11066, 5669, 11728, 6369, 11757, 7120,
		6840, 6900, 6840, 7582, 6890, 7571, 6800, 6740, 7471, 7121, 7401, 7011, 7021, 6930,
	} {
		want[capture.Probe{Target: target, TTL: i/2 + 1, Ordinal: i % 2}] = rtt
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("exchanges (-want +got):\n%s", diff)
	}
}

// A capture in the other byte order and with microseconds tells the same, as
// far as microseconds go.
func TestExchangesBigEndianMicroseconds(t *testing.T) {
	content := bytes.Clone(capturedFile(t))
	swap := func(at int) uint32 {
		v := binary.LittleEndian.Uint32(content[at:])
		binary.BigEndian.PutUint32(content[at:], v)
		return v
	}
	for at := 8; at < 24; at += 4 {
		swap(at)
	}
	copy(content, []byte{0xa1, 0xb2, 0xc3, 0xd4})
	for at := 24; at < len(content); {
		swap(at)
		binary.LittleEndian.PutUint32(content[at+4:], binary.LittleEndian.Uint32(content[at+4:])/1000)
		swap(at + 4)
		length := swap(at + 8)
		swap(at + 12)
		at += 16 + int(length)
	}
	got, err := capture.Exchanges(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	first := capture.Probe{Target: netip.MustParseAddr("198.19.0.1"), TTL: 1}
	if len(got) != 22 || got[first] != 25*time.Microsecond {
		t.Errorf("%d exchanges, the first took %v", len(got), got[first])
	}
}

func TestExchangesCountsFirstAnswerOnly(t *testing.T) {
	content := capturedFile(t)
	frames := content[24:]
	first := 16 + int(binary.LittleEndian.Uint32(frames[8:]))
	second := 16 + int(binary.LittleEndian.Uint32(frames[first+8:]))
	exchange := frames[:first+second]
	// Probe, answer, answer again: the second answer is none.
	twice := bytes.Join([][]byte{content[:24], exchange, exchange[first:]}, nil)
	got, err := capture.Exchanges(bytes.NewReader(twice))
	if err != nil || len(got) != 1 {
		t.Errorf("%d exchanges, %v", len(got), err)
	}
	// An answer without a probe is none either.
	alone := bytes.Join([][]byte{content[:24], exchange[first:]}, nil)
	if got, err := capture.Exchanges(bytes.NewReader(alone)); err != nil || len(got) != 0 {
		t.Errorf("%d exchanges, %v", len(got), err)
	}
}

func TestExchangesRefuses(t *testing.T) {
	content := capturedFile(t)
	edit := func(at int, b ...byte) []byte {
		edited := bytes.Clone(content)
		copy(edited[at:], b)
		return edited
	}
	for _, c := range []struct {
		name, want string
		content    []byte
	}{
		{"empty", "file header", nil},
		{"other format", "not a capture file", []byte("GIF89a and 18 bytes more")},
		{"other link", "link type 113", edit(20, 113)},
		{"cut in a packet header", "packet header", content[:30]},
		{"cut in a packet", "packet: unexpected EOF", content[:60]},
		{"huge packet", "packet of 4294967295 bytes", edit(32, 0xff, 0xff, 0xff, 0xff)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := capture.Exchanges(bytes.NewReader(c.content)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// Whatever a frame holds, reading it ends well.
func FuzzExchanges(f *testing.F) {
	f.Add(capturedFile(f))
	f.Fuzz(func(t *testing.T, content []byte) {
		exchanges, err := capture.Exchanges(bytes.NewReader(content))
		if err == nil && len(exchanges) > len(content) {
			t.Errorf("%d exchanges in %d bytes", len(exchanges), len(content))
		}
	})
}
