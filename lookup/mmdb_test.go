package lookup

import (
	"bytes"
	"strings"
	"testing"
)

// tangledTree has 128 nodes, each of which leads to the next one twice, so that
// there are 2^128 ways to the end: to nothing, or to the first record.
func tangledTree(record bool) []byte {
	const nodes = 128
	var tree []byte
	for i := range nodes {
		next := i + 1
		if next == nodes && record {
			next += 16
		}
		side := []byte{byte(next >> 16), byte(next >> 8), byte(next)}
		tree = append(append(tree, side...), side...)
	}
	return tree
}

// A search tree that is none ends with an error, and soon.
func TestMMDBTangled(t *testing.T) {
	for _, fields := range []mmdbMap{nil, asnFields(0), asnFields(64500)} {
		content := joinMMDB("GeoLite2-ASN", tangledTree(fields != nil), appendMMDB(nil, fields))
		loaded := fileTable{limit: maxPrefixes}
		err := loaded.read(t.Context(), "FILE", bytes.NewReader(content), true)
		if want := "FILE: more than 2064 networks in a search tree of 128 nodes"; err == nil || err.Error() != want {
			t.Errorf("error %v\n want %s", err, want)
		}
	}
}

// FuzzMMDB: whatever the sections of a database hold, reading it ends with what
// can be looked up or an error that names the file, after work in proportion to
// its size. FuzzTable has what else can be wrong with a file.
func FuzzMMDB(f *testing.F) {
	for _, networks := range [][]mmdbNetwork{
		mmdbNetworks(),
		{{"128.0.0.0/1", asnFields(64500)}, {"8000::/1", mmdbMap{}}},
	} {
		tree, data := sectionsMMDB(networks)
		f.Add(tree, data)
	}
	f.Add(tangledTree(false), []byte{})
	f.Add(tangledTree(true), appendMMDB(nil, asnFields(64500)))
	f.Fuzz(func(t *testing.T, tree, data []byte) {
		loaded := fileTable{limit: maxPrefixes}
		all := table{files: []*fileTable{&loaded}}
		if err := loaded.addMMDB(t.Context(), "FILE", bytes.NewReader(joinMMDB("GeoLite2-ASN", tree, data))); err != nil {
			if !strings.HasPrefix(err.Error(), "FILE:") {
				t.Errorf("error %q", err)
			}
			return
		}
		for prefix, asn := range loaded.prefixes.All() {
			if asn == 0 || prefix != prefix.Masked() || all.lookup(prefix.Addr()) == 0 {
				t.Errorf("%v is AS%d", prefix, asn)
			}
		}
	})
}
