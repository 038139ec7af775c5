package lookup

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// Private, loopback and link-local addresses, and IPv4 in IPv6's clothes, are
// asked for by their own reverse names.
func TestReverseName(t *testing.T) {
	for _, tt := range []struct{ addr, want string }{
		{"192.0.2.7", "7.2.0.192.in-addr.arpa."},
		{"10.0.0.1", "1.0.0.10.in-addr.arpa."},
		{"255.254.253.252", "252.253.254.255.in-addr.arpa."},
		{"::ffff:192.0.2.7", "7.2.0.192.in-addr.arpa."},
		// RFC 3596 section 2.5's example.
		{"4321:0:1:2:3:4:567:89ab", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa."},
		{"fe80::1%eth0", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa."},
	} {
		t.Run(tt.addr, func(t *testing.T) {
			asked := make(chan string, 1)
			server := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
				asked <- q.Questions[0].Name.String()
				return [][]byte{respond(q, ptr(60, "right.example."))}
			})
			s := newTestService(t, patient(server.addr))
			addr := netip.MustParseAddr(tt.addr)
			want := map[netip.Addr]Annotation{addr: {Name: "right.example"}}
			if diff := cmp.Diff(want, s.Annotate(t.Context(), []netip.Addr{addr}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if got := <-asked; got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
		})
	}
}
