package lookup

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const benchRanges = 400_000 // of IPv4, as the Internet had in 2026

// syntheticRanges returns an ip-location-db CSV of adjoining ranges, some of
// them unaligned, and an address in each.
func syntheticRanges() (csv []byte, addrs []netip.Addr) {
	random := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	next := uint32(0x01000000)
	ipv4 := func(n uint32) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
	}
	for range benchRanges {
		size := uint32(256) << random.IntN(6)
		if random.IntN(4) == 0 {
			size += 256 * uint32(random.IntN(5))
		}
		b.WriteString(ipv4(next).String() + "," + ipv4(next+size-1).String() + ",")
		b.WriteString(strconv.Itoa(1+random.IntN(400_000)) + ",\"Example, Inc.\"\n")
		addrs = append(addrs, ipv4(next+random.Uint32N(size)))
		next += size
	}
	random.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return b.Bytes(), addrs
}

func syntheticTable(b *testing.B) (path string, addrs []netip.Addr) {
	b.Helper()
	csv, addrs := syntheticRanges()
	path = filepath.Join(b.TempDir(), "asn.csv")
	if err := os.WriteFile(path, csv, 0o600); err != nil {
		b.Fatal(err)
	}
	return path, addrs
}

func BenchmarkLoadASN(b *testing.B) {
	path, _ := syntheticTable(b)
	before := heap()
	var loaded *table
	for b.Loop() {
		var err error
		if loaded, err = loadTable(b.Context(), openFile, []string{path}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(loaded.size()), "prefixes")
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
	if loaded.lookup(netip.MustParseAddr("1.0.0.0")) == 0 { // also keeps it alive
		b.Error("nothing loaded")
	}
}

func BenchmarkASNLookup(b *testing.B) {
	path, addrs := syntheticTable(b)
	loaded, err := loadTable(b.Context(), openFile, []string{path}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if loaded.lookup(addrs[i%len(addrs)]) == 0 {
			b.Fatalf("%v not found", addrs[i%len(addrs)])
		}
		i++
	}
}

// BenchmarkPTRCached is one trace's hops annotated, all of them known.
func BenchmarkPTRCached(b *testing.B) {
	w := &wire{edit: ptr(3600, "right.example.")}
	s, err := newService(b.Context(), hermetic(Config{Servers: []netip.AddrPort{firstServer}, Budget: time.Minute}), w.exchange)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	addrs := make([]netip.Addr, 15)
	for i := range addrs {
		addrs[i] = address(i)
	}
	s.Annotate(b.Context(), addrs)
	b.Run("Annotate15", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(s.Annotate(b.Context(), addrs)) != len(addrs) {
				b.Fatal("names missing")
			}
		}
	})
	b.Run("Prefetch", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Prefetch(addrs[0])
		}
	})
}
