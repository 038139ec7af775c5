package lookup

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func txt(texts ...string) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		for _, text := range texts {
			var parts []string // of up to 255 octets each; what is split is one text all the same
			for part := range slices.Chunk([]byte(text), min(len(text)/2+1, 255)) {
				parts = append(parts, string(part))
			}
			m.Answers = append(m.Answers, resource(m.Questions[0].Name.String(), dnsmessage.TypeTXT, 300, &dnsmessage.TXTResource{TXT: parts}))
		}
	}
}

func TestOrigin(t *testing.T) {
	one, six := netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("2606:4700::1111")
	for _, tt := range []struct {
		name  string
		addr  netip.Addr
		edit  func(*dnsmessage.Message)
		want  uint32
		stats SourceStats
		asked string
	}{
		{
			name: "IPv4", addr: one, edit: txt("13335 | 1.1.1.0/24 | AU | apnic | 2011-08-11"), want: 13335, stats: SourceStats{Found: 1},
			asked: "1.1.1.1.origin.asn.cymru.com.",
		},
		{
			name: "IPv6", addr: six, edit: txt("13335 | 2606:4700::/32 | US | arin | 2011-11-01"), want: 13335, stats: SourceStats{Found: 1},
			asked: "1.1.1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.6.0.6.2.origin6.asn.cymru.com.",
		},
		{name: "longest prefix", addr: one, edit: txt("1 | 1.1.0.0/16 | |", "2 | 1.1.1.0/24 | |", "3 | 1.0.0.0/8 | |"), want: 2, stats: SourceStats{Found: 1}},
		{name: "several origins", addr: one, edit: txt("13335 4323 | 1.1.1.0/24 | AU | apnic |"), stats: SourceStats{Absent: 1}},
		{name: "several records", addr: one, edit: txt("1 | 1.1.1.0/24 |", "2 | 1.1.1.0/24 |"), stats: SourceStats{Absent: 1}},
		{name: "same twice", addr: one, edit: txt("7 | 1.1.1.0/24 |", "7 | 1.1.1.0/24 |"), want: 7, stats: SourceStats{Found: 1}},
		{name: "unannounced", addr: one, edit: none(dnsmessage.RCodeNameError, 60, 60), stats: SourceStats{Absent: 1}},
		{name: "no prefix", addr: one, edit: txt("13335"), stats: SourceStats{Refused: 1}},
		{name: "address for a prefix", addr: one, edit: txt("13335 | 1.1.1.1/24 |"), stats: SourceStats{Refused: 1}},
		{name: "too long", addr: one, edit: txt(strings.Repeat("1 ", maxOriginText/2) + "| 1.1.1.0/24"), stats: SourceStats{Refused: 1}},
		{name: "AS set", addr: one, edit: txt("{64496,64497} | 1.1.1.0/24 | |"), stats: SourceStats{Absent: 1}},
		{name: "unannounced in words", addr: one, edit: txt("NA | 1.1.1.0/24 | AU | apnic |"), stats: SourceStats{Absent: 1}},
		{name: "AS 0", addr: one, edit: txt("0 | 1.1.1.0/24 | | |"), stats: SourceStats{Absent: 1}},
		{name: "prefix of others", addr: one, edit: txt("13335 | 8.8.8.0/24 |"), stats: SourceStats{Refused: 1}},
		{name: "no number", addr: one, edit: txt("v=spf1 | 1.1.1.0/24"), stats: SourceStats{Refused: 1}},
		{name: "SERVFAIL", addr: one, edit: rcode(dnsmessage.RCodeServerFailure), stats: SourceStats{Failed: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{edit: tt.edit}
				s := newWired(t, Config{Names: Off, OriginZones: OriginZones{"origin.asn.cymru.com", "origin6.asn.cymru.com."}}, w)
				defer s.Close()
				if got := s.Annotate(t.Context(), []netip.Addr{tt.addr})[tt.addr].ASN; got != tt.want {
					t.Errorf("AS%d, want AS%d", got, tt.want)
				}
				if diff := cmp.Diff(tt.stats, lookups(s.Stats().Origins)); diff != "" {
					t.Errorf("stats (-want +got):\n%s", diff)
				}
				if tt.asked != "" && w.queries[0] != tt.asked {
					t.Errorf("asked for %s, want %s", w.queries[0], tt.asked)
				}
			})
		})
	}
}

// Others are not asked for addresses that are nobody's but ours, nor for those
// that the table knows.
func TestOriginNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{edit: txt("64511 | 0.0.0.0/0 |")}
		s := newWired(t, Config{
			Names: Off, Tables: []string{"testdata/iptoasn.tsv"}, OriginZones: OriginZones{IPv4: "origin.example"}, Budget: time.Second,
		}, w)
		defer s.Close()
		var addrs []netip.Addr
		for _, text := range []string{
			"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "0.0.0.0",
			"0.1.2.3", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.255.255", "198.51.100.1", "203.0.113.254", "240.0.0.1", "::ffff:10.0.0.1",
			"2606:4700::1111", // no zone for IPv6
		} {
			addrs = append(addrs, netip.MustParseAddr(text))
		}
		if notes := s.Annotate(t.Context(), addrs); len(notes) != 0 {
			t.Errorf("annotations %v", notes)
		}
		known, unknown := netip.MustParseAddr("1.0.0.1"), netip.MustParseAddr("8.8.8.8")
		want := map[netip.Addr]Annotation{known: {ASN: 13335}, unknown: {ASN: 64511}}
		if diff := cmp.Diff(want, s.Annotate(t.Context(), []netip.Addr{known, unknown}), compareAddrs); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"8.8.8.8.origin.example."}, w.queries); diff != "" {
			t.Errorf("queries (-want +got):\n%s", diff)
		}
	})
}

// Of IPv6 as well, only what the Internet may announce.
func TestOriginNotAskedIPv6(t *testing.T) {
	o := newOrigins(nil, patience{}, OriginZones{IPv6: "origin6.example"})
	for addr, want := range map[string]bool{
		"2606:4700::1111": true, "2400::1": true, "2001:200::1": true, "3ffe::1": true,
		"::": false, "::1": false, "fe80::1": false, "fc00::1": false, "fd00::1": false, "fec0::1": false, "ff02::1": false,
		"64:ff9b::a00:1": false, "64:ff9b:1::1": false, "100::1": false, "5f00::1": false, "4000::1": false,
		"2001::1": false, "2001:1ff::1": false, "2001:db8::1": false, "2002:a00:1::1": false, "3fff::1": false,
		"1.1.1.1": false, // no zone for IPv4
	} {
		if got := o.mayAsk(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: asked %v, want %v", addr, got, want)
		}
	}
}

func TestParseASN(t *testing.T) {
	for _, tt := range []struct {
		text string
		want uint32
		fail bool
	}{
		{text: "13335", want: 13335},
		{text: "AS13335", want: 13335},
		{text: "as1", want: 1},
		{text: "4294967295", want: 1<<32 - 1},
		{text: ""},
		{text: "0"},
		{text: "-"},
		{text: "None"},
		{text: "NA"},
		{text: "AS0"},
		{text: "{64496,64497}"},
		{text: "{64496}"},
		{text: "64496 64497"},
		{text: "64496_64497"},
		{text: "4294967296", fail: true},
		{text: "-1", fail: true},
		{text: "1.1", fail: true},
		{text: "AS", fail: true},
		{text: "{x}", fail: true},
		{text: "1e3", fail: true},
		{text: "Cloudflare Inc", fail: true},
	} {
		got, err := parseASN(tt.text)
		if got != tt.want || (err != nil) != tt.fail {
			t.Errorf("parseASN(%q) = %d, %v", tt.text, got, err)
		}
	}
}
