package lookup

import (
	"encoding/csv"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// realData names a folder with asn-ipv4.csv and asn-ipv6.csv of ip-location-db,
// or is "npm" to have them fetched: npm's @ip-location-db/asn.
const realData = "PROBE_AGENT_TEST_ASN_DATA"

// The tables of the whole Internet: every range's ends and middle are looked up
// again, and load time, memory and lookup time reported.
func TestRealData(t *testing.T) {
	dir := os.Getenv(realData)
	if dir == "" {
		t.Skipf("%s names no folder with ip-location-db's asn-ipv4.csv and asn-ipv6.csv, and is not npm", realData)
	}
	if dir == "npm" {
		dir = fetchRealData(t)
	}
	files := []string{filepath.Join(dir, "asn-ipv4.csv"), filepath.Join(dir, "asn-ipv6.csv")}
	before := heap()
	s := newTestService(t, Config{Names: Off, Tables: files})
	after := heap()
	stats := s.Stats().Table
	t.Logf("%d prefixes loaded in %v, %.1f MiB", stats.Prefixes, stats.LoadTime.Round(time.Millisecond), float64(after-before)/(1<<20))

	loaded := s.table.Load()
	var addrs []netip.Addr
	ranges, overlapping, wrong := 0, 0, 0
	for _, file := range files {
		all := readRanges(t, file) // in order
		ranges += len(all)
		for i, r := range all {
			if i > 0 && !all[i-1].last.Less(r.first) || i+1 < len(all) && !r.last.Less(all[i+1].first) {
				overlapping++ // the data contradicts itself
				continue
			}
			prefixes := appendPrefixes(nil, r.first, r.last)
			middle := prefixes[len(prefixes)/2].Addr()
			addrs = append(addrs, middle)
			for _, addr := range []netip.Addr{r.first, middle, r.last} {
				if got := loaded.lookup(addr); got != r.asn {
					if wrong++; wrong <= 10 {
						t.Errorf("%v of %v to %v is AS%d, want AS%d", addr, r.first, r.last, got, r.asn)
					}
				}
			}
		}
	}
	if overlapping > ranges/1000 {
		t.Errorf("%d of %d ranges overlap: not worth comparing", overlapping, ranges)
	}
	start := time.Now()
	for _, addr := range addrs {
		loaded.lookup(addr)
	}
	t.Logf("%d ranges (%d overlap), %d wrong, %v a lookup", ranges, overlapping, wrong, time.Since(start)/time.Duration(len(addrs)))
}

type asRange struct {
	first, last netip.Addr
	asn         uint32
}

// readRanges reads a file as the standard library would.
func readRanges(t *testing.T, file string) []asRange {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ranges []asRange
	lines := csv.NewReader(f)
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return ranges
		}
		if err != nil {
			t.Fatal(err)
		}
		asn, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		ranges = append(ranges, asRange{netip.MustParseAddr(fields[0]), netip.MustParseAddr(fields[1]), uint32(asn)})
	}
}

func fetchRealData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, command := range [][]string{
		{"npm", "pack", "--silent", "@ip-location-db/asn"},
		{"sh", "-c", "tar -xzf *.tgz"},
	} {
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	return filepath.Join(dir, "package")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
