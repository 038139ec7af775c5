package lookup

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Tables that cannot be read leave what was.
func TestUseTables(t *testing.T) {
	path := writeTable(t, "table.csv", []byte("1.0.0.0,1.0.0.255,1\n"))
	s := newTestService(t, Config{Names: Off, Tables: []string{path}})
	addr := netip.MustParseAddr("1.0.0.1")
	check := func(when string, want uint32) {
		t.Helper()
		if got := s.Annotate(t.Context(), []netip.Addr{addr})[addr].ASN; got != want {
			t.Errorf("%s: AS%d, want AS%d", when, got, want)
		}
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	use := func(files ...string) {
		t.Helper()
		tables, err := LoadTables(t.Context(), nil, files...)
		if err != nil {
			t.Fatal(err)
		}
		s.UseTables(tables)
	}
	check("at first", 1)
	write("1.0.0.0,1.0.0.255,2\n")
	check("before the file is read again", 1)
	use(path)
	check("after", 2)
	write("1.0.0.0,1.0.0.255,3\nnonsense\n")
	if _, err := LoadTables(t.Context(), nil, path); err == nil || !strings.Contains(err.Error(), path+":2") {
		t.Errorf("error %v of a bad table, want one with file and line", err)
	}
	if _, err := LoadTables(t.Context(), nil, path+".absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one that matches os.ErrNotExist", err)
	}
	check("after bad ones", 2)
	use("testdata/asn.mmdb")
	check("after another", 13335)
	use()
	check("without", 0)
}

// A file is loaded again if its content has changed, whatever its name, size and
// time say.
func TestReloadSharesTables(t *testing.T) {
	const first, second = "1.0.0.0,1.0.0.255,1\n", "1.0.0.0,1.0.0.255,2\n"
	tests := []struct {
		name          string
		before, after string
		shared        bool
	}{
		{"unchanged", first, first, true},
		{"changed, of the same size", first, second, false},
		{"a line more", first, first + second, false},
		{"unpacked", string(gzipped(t, []byte(first))), first, false},
		{"unchanged, gzipped", string(gzipped(t, []byte(first))), string(gzipped(t, []byte(first))), true},
	}
	for _, tt := range tests {
		path, other := writeTable(t, "a.csv", []byte(tt.before)), writeTable(t, "b.csv", []byte("2.0.0.0,2.0.0.255,9\n"))
		tables, err := LoadTables(t.Context(), nil, path, other)
		if err != nil {
			t.Fatal(err)
		}
		// A ConfigMap of Kubernetes is another file behind the same link.
		moved := writeTable(t, "c.csv", []byte(tt.after))
		again, err := tables.Reload(t.Context(), nil, other, moved)
		if err != nil {
			t.Fatal(err)
		}
		if again.table.files[0] != tables.table.files[1] {
			t.Errorf("%s: the other file is loaded again", tt.name)
		}
		if shared := again.table.files[1] == tables.table.files[0]; shared != tt.shared {
			t.Errorf("%s: shared is %t, want %t", tt.name, shared, tt.shared)
		}
		if _, err := again.Reload(t.Context(), nil, moved, moved+".absent"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), moved+".absent") {
			t.Errorf("%s: error %v of an absent file", tt.name, err)
		}
	}
}

// Lookups go on while tables come and go, and see one or the other.
func TestUseTablesUnderLoad(t *testing.T) {
	one := writeTable(t, "one.csv", []byte("0.0.0.0,255.255.255.255,1\n"))
	two := writeTable(t, "two.csv", []byte("0.0.0.0,255.255.255.255,2\n"))
	s := newTestService(t, Config{Names: Off, Tables: []string{one}})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := s.Annotate(t.Context(), []netip.Addr{router})[router].ASN; got != 1 && got != 2 {
					t.Errorf("AS%d", got)
					return
				}
			}
		})
	}
	for range 50 {
		for _, table := range []string{two, one} {
			tables, err := LoadTables(t.Context(), nil, table)
			if err != nil {
				t.Error(err)
			}
			s.UseTables(tables)
		}
	}
	close(done)
	readers.Wait()
}

// Loading ends when the context does.
func TestLoadTablesCancelled(t *testing.T) {
	var text bytes.Buffer
	var networks []mmdbNetwork
	for i := range linesPerCheck + 1 {
		a := address(i).String()
		text.WriteString(a + "," + a + "," + strconv.Itoa(i+1) + "\n")
		networks = append(networks, mmdbNetwork{a + "/32", asnFields(uint32(i + 1))})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, content := range [][]byte{text.Bytes(), writeMMDB("GeoLite2-ASN", networks)} {
		path := writeTable(t, "table", content)
		if _, err := New(ctx, Config{Tables: []string{path}}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want one that matches context.Canceled", err)
		}
		s := newTestService(t, Config{Names: Off, Tables: []string{path}})
		if got := s.Stats().Table.Prefixes; got != linesPerCheck+1 {
			t.Errorf("%d prefixes", got)
		}
	}
}
