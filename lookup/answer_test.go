package lookup

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Answers, and that there are none, are kept as long as the name server says,
// within bounds.
func TestTTL(t *testing.T) {
	const second = time.Second
	alias := func(m *dnsmessage.Message) {
		owner := m.Questions[0].Name.String()
		m.Answers = []dnsmessage.Resource{
			resource(owner, dnsmessage.TypeCNAME, 200, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.arpa.")}),
			resource("x.arpa.", dnsmessage.TypePTR, 300, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("right.example.")}),
		}
	}
	for _, tt := range []struct {
		name string
		edit func(*dnsmessage.Message)
		want time.Duration
	}{
		{"as told", ptr(300, "a.example."), 300 * second},
		{"floor", ptr(1, "a.example."), MinTTL},
		{"zero", ptr(0, "a.example."), MinTTL},
		{"ceiling", ptr(1<<31-1, "a.example."), MaxTTL},
		{"negative", ptr(1<<31, "a.example."), MinTTL},
		{"shortest of the chain", alias, 200 * second},
		{"NXDOMAIN by SOA minimum", none(dnsmessage.RCodeNameError, 900, 120), 120 * second},
		{"NXDOMAIN by SOA TTL", none(dnsmessage.RCodeNameError, 120, 900), 120 * second},
		{"NXDOMAIN ceiling", none(dnsmessage.RCodeNameError, 1e6, 1e6), MaxNegativeTTL},
		{"NXDOMAIN floor", none(dnsmessage.RCodeNameError, 5, 5), MinTTL},
		{"NXDOMAIN without SOA", rcode(dnsmessage.RCodeNameError), MinTTL},
		{"NODATA", none(dnsmessage.RCodeSuccess, 900, 120), 120 * second},
		{"NODATA without SOA", rcode(dnsmessage.RCodeSuccess), MinTTL},
		{"hostile name", ptr(300, "a b."), 300 * second},
		{"hostile name for ever", ptr(1e6, "a b."), MaxNegativeTTL},
		{"SERVFAIL", rcode(dnsmessage.RCodeServerFailure), FailureTTL},
		{"silence", nil, FailureTTL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{edit: tt.edit, dead: map[netip.AddrPort]bool{firstServer: tt.edit == nil}}
				s := newWired(t, Config{Attempts: 1, Budget: time.Minute}, w)
				defer s.Close()
				ask := func() int {
					s.Annotate(t.Context(), []netip.Addr{address(0)})
					return w.asked()
				}
				ask()
				time.Sleep(tt.want - time.Millisecond)
				if got := ask(); got != 1 {
					t.Errorf("%d queries before %v, want 1", got, tt.want)
				}
				time.Sleep(time.Millisecond)
				if got := ask(); got != 2 {
					t.Errorf("%d queries after %v, want 2", got, tt.want)
				}
			})
		})
	}
}
