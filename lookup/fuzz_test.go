package lookup

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/net/dns/dnsmessage"
)

// FuzzResponse: whatever a name server sends, what is taken of it is bounded,
// and only names that can be shown come out.
func FuzzResponse(f *testing.F) {
	asked := dnsmessage.Message{Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName(reverseName(router)), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET,
	}}}
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
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, kind := range []uint16{dns.TypePTR, dns.TypeTXT, dns.TypeA, dns.TypeAAAA} {
			q := newQuery(reverseName(router), kind, false)
			q.Id = 0
			conn := &dns.Conn{Conn: &datagram{bytes: message}, UDPSize: maxDatagram}
			m, err := converse(conn, "udp", q)
			if err != nil || m.Truncated {
				continue
			}
			r, err := read(q, m)
			if err != nil {
				continue
			}
			if len(r.records) > maxRecords || len(r.names())+len(r.texts())+len(r.addrs()) > len(r.records) {
				t.Errorf("%d records", len(r.records))
			}
			if !r.empty() && r.ttl < 0 {
				t.Errorf("an answer to be kept for %v", r.ttl)
			}
			if name, ok := chooseName(r.names()); ok && (!IsHostname(name) || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' })) {
				t.Errorf("name %q", name)
			}
			chooseOrigin(router, r.texts())
			for _, addr := range r.addrs() {
				if addr.Is4In6() || addr.Is4() != (kind == dns.TypeA) && kind == dns.TypeA {
					t.Errorf("address %v", addr)
				}
			}
		}
	})
}

// datagram is a connection that yields one datagram, then nothing.
type datagram struct {
	net.UDPConn
	bytes []byte
	read  bool
}

func (*datagram) Write(p []byte) (int, error) { return len(p), nil }
func (*datagram) LocalAddr() net.Addr         { return &net.UDPAddr{} }

func (d *datagram) Read(p []byte) (int, error) {
	if d.read {
		return 0, io.EOF
	}
	d.read = true
	return copy(p, d.bytes), nil
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
		loaded := fileTable{limit: maxPrefixes}
		all := table{files: []*fileTable{&loaded}}
		unpacked, zipped, err := unpacked(bytes.NewReader(content))
		if err != nil {
			return
		}
		if err := loaded.read(t.Context(), "FILE", &bounded{unpacked, 1 << 20}, zipped); err != nil {
			if !strings.HasPrefix(err.Error(), "FILE:") {
				t.Errorf("error %q", err)
			}
			return
		}
		for prefix, asn := range loaded.prefixes.All() {
			numbered := asn != 0
			for _, around := range loaded.prefixes.Supernets(prefix) {
				numbered = numbered || around != 0
			}
			if prefix != prefix.Masked() || !numbered {
				t.Errorf("%v is AS%d", prefix, asn)
			}
		}
		all.lookup(netip.IPv6LinkLocalAllNodes())
	})
}

// FuzzRange: a line that is taken is entered as the range it names: its ends
// are in, their neighbours are not.
func FuzzRange(f *testing.F) {
	f.Add([]byte("1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET"))
	f.Add([]byte(`2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,4200000001,"Example, Inc."`))
	f.Add([]byte("203.0.113.1,203.0.113.6,AS64500"))
	f.Add([]byte("16777216,16777471,1"))
	f.Add([]byte("0,42540766411282592856903984951653892095,1"))
	f.Add([]byte("::ffff:1.0.0.0,::ffff:1.0.0.255,1"))
	f.Add([]byte("198.18.0.0,198.19.255.255,{64496,64497}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		first, last, _, err := parseRange(line)
		if err != nil {
			return
		}
		loaded := fileTable{limit: maxPrefixes}
		all := table{files: []*fileTable{&loaded}}
		for _, prefix := range appendPrefixes(nil, first, last) {
			if err := loaded.add(prefix, 1); err != nil {
				t.Fatal(err)
			}
		}
		if all.lookup(first) != 1 || all.lookup(last) != 1 {
			t.Errorf("%v to %v: an end is not in", first, last)
		}
		for _, outside := range []netip.Addr{first.Prev(), last.Next()} {
			if outside.IsValid() && all.lookup(outside) != 0 {
				t.Errorf("%v to %v: %v is in", first, last, outside)
			}
		}
	})
}

// FuzzOrigin: whatever texts say, an origin comes from one that has the form,
// whose prefix holds the address, and from the longest of those; the order of
// the texts does not matter.
func FuzzOrigin(f *testing.F) {
	for _, texts := range []string{
		"13335 | 1.1.1.0/24 | AU | apnic | 2011-08-11",
		"1 | 1.1.0.0/16 | |\n2 | 1.1.1.0/24 | |\n2 | 1.1.1.0/24",
		"13335 4323 | 1.1.1.0/24 | AU\n{64496,64497} | 1.0.0.0/8",
		"NA | 1.1.1.0/24\nAS4294967295|1.1.1.1/32",
		"13335 | ::ffff:1.1.1.0/120 |\n13335 | 2606:4700::/32 | US | arin |",
		"v=spf1 -all\n| |\n1|1.1.1.1/24\n-1|0.0.0.0/0",
	} {
		f.Add(texts, false)
		f.Add(texts, true)
	}
	f.Fuzz(func(t *testing.T, joined string, ipv6 bool) {
		addr := netip.MustParseAddr("1.1.1.1")
		if ipv6 {
			addr = netip.MustParseAddr("2606:4700::1111")
		}
		texts := strings.Split(joined, "\n")
		asn, ok := chooseOrigin(addr, texts)
		slices.Reverse(texts)
		if again, still := chooseOrigin(addr, texts); again != asn || still != ok {
			t.Errorf("AS%d, %v; in the other order AS%d, %v", asn, ok, again, still)
		}
		var longest []uint32 // origins of the longest prefix
		bits := -1
		for _, text := range texts {
			prefix, number, good := parseOrigin(text)
			if !good || !prefix.Contains(addr) {
				continue
			}
			if len(text) > maxOriginText || !strings.Contains(text, "|") || number != 0 && !strings.Contains(text, strconv.FormatUint(uint64(number), 10)) {
				t.Errorf("AS%d of %v in %q", number, prefix, text)
			}
			if prefix.Bits() > bits {
				bits, longest = prefix.Bits(), nil
			}
			if prefix.Bits() == bits {
				longest = append(longest, number)
			}
		}
		if ok != (len(longest) > 0) {
			t.Fatalf("%v with origins %v", ok, longest)
		}
		if ok && asn != 0 && slices.ContainsFunc(longest, func(n uint32) bool { return n != asn }) || asn == 0 && len(slices.Compact(longest)) == 1 && longest[0] != 0 {
			t.Errorf("AS%d of %v", asn, longest)
		}
	})
}
