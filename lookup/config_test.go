package lookup

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newWired(t, Config{Names: Off}, w)
		defer s.Close()
		s.Prefetch(address(0))
		if notes := s.Annotate(t.Context(), []netip.Addr{address(0)}); len(notes) != 0 {
			t.Errorf("annotations %v", notes)
		}
		if w.asked() != 0 {
			t.Error("asked for a name")
		}
		if diff := cmp.Diff(Stats{}, s.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{Names: 9}, "lookup: mode 9 is no way to find names"},
		{Config{Servers: make([]netip.AddrPort, 1)}, "lookup: name server invalid AddrPort: not an address with a port"},
		{Config{Servers: []netip.AddrPort{netip.AddrPortFrom(address(0), 0)}}, "lookup: name server 10.0.0.0:0: not an address with a port"},
		{Config{OriginZones: OriginZones{IPv4: "a b"}}, `lookup: origin zone: "a b" is not a DNS name of up to 180 characters`},
		{Config{OriginZones: OriginZones{IPv6: strings.Repeat("a.", 90) + "a"}}, `lookup: origin zone: "` + strings.Repeat("a.", 90) + `a" is not a DNS name of up to 180 characters`},
		{Config{Budget: -1, Queue: -1}, "lookup: budget is below 0\nlookup: queue is below 0"},
		{Config{Tables: []string{"testdata/absent.tsv"}}, "lookup: open testdata/absent.tsv: no such file or directory"},
	} {
		s, err := New(t.Context(), tt.config)
		if err == nil {
			s.Close()
			t.Errorf("%+v: no error", tt.config)
		} else if err.Error() != tt.want {
			t.Errorf("error %q, want %q", err, tt.want)
		}
	}
}
