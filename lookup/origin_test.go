package lookup

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func txt(texts ...string) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		for _, text := range texts {
			m.Answers = append(m.Answers, resource(m.Questions[0].Name.String(), dnsmessage.TypeTXT, 300,
				&dnsmessage.TXTResource{TXT: []string{text[:len(text)/2], text[len(text)/2:]}}))
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
		{name: "prefix of others", addr: one, edit: txt("13335 | 8.8.8.0/24 |"), stats: SourceStats{Refused: 1}},
		{name: "no number", addr: one, edit: txt("v=spf1 | 1.1.1.0/24"), stats: SourceStats{Refused: 1}},
		{name: "SERVFAIL", addr: one, edit: rcode(dnsmessage.RCodeServerFailure), stats: SourceStats{Failed: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{edit: tt.edit}
				s := newWired(t, Config{Names: Off, OriginZones: OriginZones{OriginZoneIPv4, OriginZoneIPv6}}, w)
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
			"fe80::1", "fd00::1", "::1", "2606:4700::1111", "::ffff:10.0.0.1",
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
