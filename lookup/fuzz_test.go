package lookup

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzResponse: whatever a name server sends, what is taken of it is bounded,
// and only names that can be shown come out.
func FuzzResponse(f *testing.F) {
	q, err := newQuery(reverseName(router), dnsmessage.TypePTR)
	if err != nil {
		f.Fatal(err)
	}
	asked := dnsmessage.Message{Header: dnsmessage.Header{ID: 0}, Questions: []dnsmessage.Question{q.question}}
	for _, edit := range []func(*dnsmessage.Message){
		ptr(60, "right.example.", "a b.example."),
		none(dnsmessage.RCodeNameError, 60, 60),
		rcode(dnsmessage.RCodeServerFailure),
		txt("13335 | 1.1.1.0/24 | AU | apnic | 2011-08-11"),
		func(m *dnsmessage.Message) { m.Truncated = true },
		func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{
				resource(reverseName(router), dnsmessage.TypeCNAME, 60, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.")}),
				resource("x.", dnsmessage.TypePTR, 60, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("right.example.")}),
			}
		},
	} {
		f.Add(respond(asked, edit))
	}
	q.id = 0
	text := q
	text.question.Type = dnsmessage.TypeTXT
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, q := range []query{q, text} {
			q.answers(message)
			r, err := q.read(message)
			if err != nil {
				continue
			}
			if len(r.names)+len(r.texts)+r.unreadable > maxRecords {
				t.Errorf("%d records", len(r.names)+len(r.texts)+r.unreadable)
			}
			if !r.truncated && !r.empty() && r.ttl < 0 {
				t.Errorf("an answer to be kept for %v", r.ttl)
			}
			if name, ok := chooseName(r.names); ok && (!validName(name) || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' })) {
				t.Errorf("name %q", name)
			}
			chooseOrigin(router, r.texts)
		}
	})
}

// FuzzTable: whatever a file holds, loading it ends with a table or an error
// that names the file.
func FuzzTable(f *testing.F) {
	for _, name := range []string{"iptoasn.tsv", "iptoasn.tsv.gz", "asn.csv", "asn.csv.gz", "asn.mmdb"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte("::1,ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe,1\n0.0.0.1,255.255.255.254,2\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		loaded := table{limit: maxPrefixes}
		unpacked, err := unpacked(bytes.NewReader(content))
		if err != nil {
			return
		}
		if err := loaded.addContent(t.Context(), "FILE", &bounded{unpacked, 1 << 20}); err != nil {
			if !strings.HasPrefix(err.Error(), "FILE:") {
				t.Errorf("error %q", err)
			}
			return
		}
		for prefix, asn := range loaded.prefixes.All() {
			if asn == 0 || prefix != prefix.Masked() {
				t.Errorf("%v is AS%d", prefix, asn)
			}
		}
		loaded.lookup(netip.IPv6LinkLocalAllNodes())
	})
}

// FuzzRange: a line that is taken is entered as the range it names: its ends
// are in, their neighbours are not.
func FuzzRange(f *testing.F) {
	f.Add([]byte("1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET"))
	f.Add([]byte(`2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,4200000001,"Example, Inc."`))
	f.Add([]byte("203.0.113.1,203.0.113.6,AS64500"))
	f.Add([]byte("198.18.0.0,198.19.255.255,{64496,64497}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		first, last, _, err := parseRange(line)
		if err != nil {
			return
		}
		loaded := table{limit: maxPrefixes}
		for _, prefix := range appendPrefixes(nil, first, last) {
			if err := loaded.add(prefix, 1); err != nil {
				t.Fatal(err)
			}
		}
		if loaded.lookup(first) != 1 || loaded.lookup(last) != 1 {
			t.Errorf("%v to %v: an end is not in", first, last)
		}
		for _, outside := range []netip.Addr{first.Prev(), last.Next()} {
			if outside.IsValid() && loaded.lookup(outside) != 0 {
				t.Errorf("%v to %v: %v is in", first, last, outside)
			}
		}
	})
}
