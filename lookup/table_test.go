package lookup

import (
	"bytes"
	"compress/gzip"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the files of testdata that tests generate")

// mmdbNetworks are what testdata/asn.mmdb holds.
func mmdbNetworks() []mmdbNetwork {
	return []mmdbNetwork{
		{"1.0.0.0/24", asnFields(13335)},
		{"1.0.4.0/22", asnFields(38803)},
		{"198.18.0.0/15", mmdbMap{{"autonomous_system_organization", "no number"}}},
		{"203.0.113.1/32", asnFields(64500)},
		{"203.0.113.2/31", asnFields(64500)},
		{"203.0.113.4/31", asnFields(64500)},
		{"203.0.113.6/32", asnFields(64500)},
		{"2001:db8::/48", asnFields(4200000001)},
	}
}

// The database in testdata is what the writer of this package's tests makes.
func TestMMDBFile(t *testing.T) {
	const path = "testdata/asn.mmdb"
	want := writeMMDB("GeoLite2-ASN", mmdbNetworks())
	if *update {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not up to date; go test -update writes it", path)
	}
}

// Every form of file gives the same table.
func TestTableForms(t *testing.T) {
	for _, file := range []string{"iptoasn.tsv", "iptoasn.tsv.gz", "asn.csv", "asn.csv.gz", "asn.mmdb"} {
		t.Run(file, func(t *testing.T) {
			s := newTestService(t, Config{Names: Off, Tables: []string{filepath.Join("testdata", file)}})
			var addrs []netip.Addr
			want := make(map[netip.Addr]Annotation)
			for _, tt := range []struct {
				addr string
				asn  uint32
			}{
				{"0.255.255.255", 0},
				{"1.0.0.0", 13335},
				{"1.0.0.255", 13335},
				{"::ffff:1.0.0.1", 13335},
				{"1.0.1.0", 0}, // not routed
				{"1.0.4.0", 38803},
				{"1.0.7.255", 38803},
				{"1.0.8.0", 0},
				{"198.18.0.1", 0}, // a set, or nothing
				{"203.0.113.0", 0},
				{"203.0.113.1", 64500},
				{"203.0.113.6", 64500},
				{"203.0.113.7", 0},
				{"2001:db8::1", 4200000001},
				{"2001:db8::1%eth0", 4200000001},
				{"2001:db8:1::", 0},
				{"::1.0.0.1", 0},
			} {
				addr := netip.MustParseAddr(tt.addr)
				addrs = append(addrs, addr)
				if tt.asn != 0 {
					want[addr] = Annotation{ASN: tt.asn}
				}
			}
			if diff := cmp.Diff(want, s.Annotate(t.Context(), addrs), compareAddrs); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			stats := s.Stats().Table
			if stats.Prefixes != 7 || stats.Loaded.IsZero() || stats.LoadTime <= 0 {
				t.Errorf("stats %+v, want 7 prefixes", stats)
			}
		})
	}
}

func writeTable(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The narrower prefix counts whatever file it is in; of equal ones the last.
func TestTablesOverlap(t *testing.T) {
	s := newTestService(t, Config{Names: Off, Tables: []string{
		writeTable(t, "narrow.csv", []byte("10.1.0.0,10.1.255.255,2\n10.2.0.0,10.2.255.255,3\n")),
		writeTable(t, "wide.csv", []byte("10.0.0.0,10.255.255.255,1\n10.2.0.0,10.2.255.255,4\n10.1.0.0,10.1.255.255,0\n")),
		"testdata/asn.mmdb",
	}})
	for addr, want := range map[string]uint32{"10.0.0.1": 1, "10.1.0.1": 2, "10.2.0.1": 4, "10.3.0.1": 1, "1.0.0.1": 13335} {
		a := netip.MustParseAddr(addr)
		if got := s.Annotate(t.Context(), []netip.Addr{a})[a].ASN; got != want {
			t.Errorf("%s is AS%d, want AS%d", addr, got, want)
		}
	}
}

// Forms of one file that are read alike: integers for addresses, as
// ip2asn-v4-u32.tsv and asn-ipv6-num.csv have them, IPv4-mapped addresses, a byte
// order mark, and what surrounds the content of gzip.
func TestTableVariants(t *testing.T) {
	const plain = "1.0.0.0\t1.0.0.255\t13335\tUS\tx\n2001:db8::\t2001:db8::ffff\t64500\tx\n"
	zipped := string(gzipped(t, []byte(plain)))
	for name, content := range map[string]string{
		"plain":         plain,
		"mark":          "\ufeff" + plain,
		"mark, comment": "\ufeff# from a spreadsheet\r\n" + strings.ReplaceAll(plain, "\n", "\r\n"),
		"integers":      "16777216\t16777471\t13335\tUS\tx\n42540766411282592856903984951653826560,\"42540766411282592856903984951653892095\",64500,x\n",
		"mapped":        "::ffff:1.0.0.0,::ffff:1.0.0.255,13335\n2001:db8::,2001:db8::ffff,64500\n",
		"mapped number": "281470698520576,281470698520831,13335\n2001:db8::,2001:db8::ffff,64500\n",
		"gzip":          zipped,
		"zeros behind":  zipped + strings.Repeat("\x00", 100_000),
		"two members":   zipped + "\x00\x00" + string(gzipped(t, []byte("# more\n"))) + "\x00",
		"mark in gzip":  string(gzipped(t, []byte("\ufeff"+plain))),
		"no newline":    string(gzipped(t, []byte(strings.TrimSuffix(plain, "\n")))), // gzip shows that it is whole
	} {
		tables, err := LoadTables(t.Context(), nil, writeTable(t, "table", []byte(content)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for addr, want := range map[string]uint32{"0.255.255.255": 0, "1.0.0.0": 13335, "1.0.0.255": 13335, "1.0.1.0": 0, "2001:db8::ffff": 64500, "2001:db8::1:0": 0} {
			if got := tables.table.lookup(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: %s is AS%d, want AS%d", name, addr, got, want)
			}
		}
	}
}

// Unannounced space inside an announced range has no AS number, whichever comes
// first in the file, but hides nothing of what another file says.
func TestUnannouncedInside(t *testing.T) {
	const wide, hole, inner = "10.0.0.0,10.0.1.127,1\n", "10.0.0.0,10.0.0.255,0\n", "10.0.0.16,10.0.0.31,2\n"
	for _, file := range []string{wide + hole + inner, "11.0.0.0,11.0.0.255,0\n" + inner + "10.0.0.0,10.0.255.255,1\n" + hole} {
		for other, want := range map[string]map[string]uint32{
			"10.0.0.0,10.255.255.255,9\n": {"10.0.0.1": 9, "10.0.0.16": 2, "10.0.0.32": 9, "10.0.1.1": 1, "11.0.0.1": 0},
			"12.0.0.0,12.0.0.255,9\n":     {"10.0.0.1": 0, "10.0.0.16": 2, "10.0.0.32": 0, "10.0.1.1": 1, "11.0.0.1": 0},
		} {
			for _, order := range [][]string{{file, other}, {other, file}} {
				tables, err := LoadTables(t.Context(), nil, writeTable(t, "a", []byte(order[0])), writeTable(t, "b", []byte(order[1])))
				if err != nil {
					t.Fatal(err)
				}
				for addr, asn := range want {
					if got := tables.table.lookup(netip.MustParseAddr(addr)); got != asn {
						t.Errorf("%q: %s is AS%d, want AS%d", order, addr, got, asn)
					}
				}
			}
		}
	}
}

// An error says in which file and line, and why.
func TestBadTable(t *testing.T) {
	good := "1.0.0.0,1.0.0.255,1,x\n"
	mmdb := writeMMDB("GeoLite2-ASN", mmdbNetworks())
	for _, tt := range []struct {
		name    string
		content string
		want    string // with FILE for the path
	}{
		{"empty", "", "FILE: empty"},
		{"empty gzip", string(gzipped(t, nil)), "FILE: empty"},
		{"nothing in it", "# later\n\n", "FILE: no ranges"},
		{"no address", good + "network,asn,name\n", `FILE:2: "network" is not an address`},
		{"no second address", good + "1.0.0.0,x,1\n", `FILE:2: "x" is not an address`},
		{"number and address", "16777216,1.0.0.255,13335,x\n", `FILE:1: "16777216" is not an address`},
		{"number too high", "0,340282366920938463463374607431768211456,1,x\n", `FILE:1: "340282366920938463463374607431768211456" is not the number of an address`},
		{"number far too high", "0,1" + strings.Repeat("0", 1000) + ",1,x\n", `FILE:1: "1` + strings.Repeat("0", 59) + `" is not the number of an address`},
		{"cut short", good + "1.0.1.0,1.0.1.255,645", "FILE:2: the last line does not end in a newline, so the file may be cut short; if it is complete, add the newline"},
		{"cut short in a comment", good + "# 64", "FILE:2: the last line does not end in a newline, so the file may be cut short; if it is complete, add the newline"},
		{"mark and nothing", "\ufeff", "FILE: empty"},
		{"mark in the middle", good + "\ufeff" + good, `FILE:2: "\ufeff1.0.0.0" is not an address`},
		{"zone", "fe80::1%eth0,fe80::2,1,x\n", `FILE:1: "fe80::1%eth0" is not an address`},
		{"long nonsense", strings.Repeat("x", 200) + ",1.0.0.0,1\n", `FILE:1: "` + strings.Repeat("x", 60) + `" is not an address`},
		{"fewer fields", good + good + "1.0.0.0,1.0.0.255\n", "FILE:3: fewer than three fields: first address, last address, AS number"},
		{"other separator", "1.0.0.0;1.0.0.255;1\n", "FILE:1: fewer than three fields: first address, last address, AS number"},
		{"backwards", "1.0.0.9,1.0.0.1,1\n", "FILE:1: range from 1.0.0.9 to 1.0.0.1: ends before it starts"},
		{"two families", "1.0.0.0,2001:db8::,1\n", "FILE:1: range from 1.0.0.0 to 2001:db8::: two address families"},
		{"no AS number", "1.0.0.0\t1.0.0.255\tUS\tx\n", `FILE:1: "US" is not an AS number`},
		{"AS number too high", "1.0.0.0,1.0.0.255,4294967296\n", `FILE:1: "4294967296" is not an AS number`},
		{"long line", good + strings.Repeat("y", maxLine+1), "FILE:2: line of more than 4096 bytes"},
		{"gzip cut short", string(gzipped(t, []byte(good))[:24]), "FILE: unexpected EOF"},
		{"gzip cut in its trailer", string(gzipped(t, []byte(good))[:len(gzipped(t, []byte(good)))-3]), "FILE: unexpected EOF"},
		{"not gzip", "\x1f\x8bnot at all", "FILE: gzip: invalid header"},
		{"gzip and more", string(gzipped(t, []byte(good))) + "\x00more than enough", "FILE: gzip: invalid header"},
		{"binary", "\x7fELF\x02\x01\x01\x00", "FILE: neither address ranges nor a MaxMind DB: error opening database: invalid MaxMind DB file"},
		{"other MMDB", string(writeMMDB("GeoLite2-Country", []mmdbNetwork{{"1.0.0.0/24", mmdbMap{{"iso_code", "AU"}}}})), "FILE: a MaxMind DB (GeoLite2-Country) without autonomous_system_number"},
		{"number as text in MMDB", string(writeMMDB("x", []mmdbNetwork{{"1.0.0.0/24", mmdbMap{{"autonomous_system_number", "AS1"}}}})), "FILE: network 1.0.0.0/24: "},
		{"MMDB cut short", string(mmdb[:len(mmdb)/2]), "FILE: neither address ranges nor a MaxMind DB: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeTable(t, "table", []byte(tt.content))
			s, err := New(t.Context(), Config{Names: Off, Tables: []string{path}})
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), path, "FILE")
			want := "lookup: " + tt.want
			if strings.HasSuffix(want, " ") { // the rest is the library's
				got = got[:min(len(got), len(want))]
			}
			if got != want {
				t.Errorf("error %q\n want %q", got, want)
			}
		})
	}
}

// A table that would take too much memory is refused.
func TestTableLimit(t *testing.T) {
	small := fileTable{limit: 2}
	err := small.addRanges(t.Context(), "FILE", strings.NewReader("1.0.0.0,1.0.0.255,1\n1.0.1.0,1.0.3.255,1\n"), false)
	if want := "FILE:2: more than 2 prefixes"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// The limits of a file that is too much to read at all.
func TestBounded(t *testing.T) {
	b := &bounded{r: strings.NewReader("abcdef"), left: 4}
	var got bytes.Buffer
	if _, err := got.ReadFrom(b); err == nil || err.Error() != "more than 1073741824 bytes" || got.String() != "abcd" {
		t.Errorf("read %q, %v", got.String(), err)
	}
}
