package lookup

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

var router = netip.MustParseAddr("192.0.2.7")

// patient waits for its answers as long as a test takes.
func patient(servers ...netip.AddrPort) Config {
	return Config{Servers: servers, Budget: time.Minute, Timeout: 20 * time.Second, Attempts: 1}
}

func newTestService(t *testing.T, c Config) *Service {
	t.Helper()
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// lookups keeps of the stats what came of lookups.
func lookups(s SourceStats) SourceStats {
	return SourceStats{Found: s.Found, Absent: s.Absent, Refused: s.Refused, Failed: s.Failed, Timeouts: s.Timeouts}
}

// One name server on loopback, one question, whatever the server makes of it.
func TestNameOverLoopback(t *testing.T) {
	type reply = func(network string, q dnsmessage.Message) [][]byte
	once := func(edit func(*dnsmessage.Message)) reply {
		return func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{respond(q, edit)} }
	}
	// after lets a message go before the right one.
	after := func(edit func(*dnsmessage.Message)) reply {
		return func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{respond(q, edit), respond(q, ptr(60, "right.example."))}
		}
	}
	found, absent, refused, failed := SourceStats{Found: 1}, SourceStats{Absent: 1}, SourceStats{Refused: 1}, SourceStats{Failed: 1}
	for _, tt := range []struct {
		name  string
		reply reply
		want  string
		stats SourceStats
		tcp   int64 // connections
	}{
		{name: "plain", reply: once(ptr(60, "right.example.")), want: "right.example", stats: found},
		{name: "underscore and digits", reply: once(ptr(60, "ae_1.2-cr3.example.")), want: "ae_1.2-cr3.example", stats: found},
		{name: "several", reply: once(ptr(60, "b.example.", "a.example.", "c.example.")), want: "a.example", stats: found},
		{name: "truncated", want: "right.example", stats: found, tcp: 1, reply: func(network string, q dnsmessage.Message) [][]byte {
			if network == "tcp" {
				return [][]byte{respond(q, ptr(60, "right.example."))}
			}
			return [][]byte{respond(q, func(m *dnsmessage.Message) { m.Truncated = true; ptr(60, "cut.example.")(m) })}
		}},
		{name: "truncated over TCP too", stats: failed, tcp: 1, reply: once(func(m *dnsmessage.Message) { m.Truncated = true })},
		{name: "another answer over TCP", stats: failed, tcp: 1, reply: func(network string, q dnsmessage.Message) [][]byte {
			return [][]byte{respond(q, func(m *dnsmessage.Message) {
				if m.Truncated = network == "udp"; !m.Truncated {
					m.ID++
					ptr(60, "forged.example.")(m)
				}
			})}
		}},
		{name: "hangs up over TCP", stats: failed, tcp: 1, reply: func(network string, q dnsmessage.Message) [][]byte {
			if network == "tcp" {
				return nil
			}
			return [][]byte{respond(q, func(m *dnsmessage.Message) { m.Truncated = true })}
		}},
		{name: "wrong id first", reply: after(func(m *dnsmessage.Message) { m.ID++; ptr(60, "forged.example.")(m) }), want: "right.example", stats: found},
		{name: "wrong name first", reply: after(func(m *dnsmessage.Message) {
			m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("8.2.0.192.in-addr.arpa."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}
			ptr(60, "forged.example.")(m)
		}), want: "right.example", stats: found},
		{name: "wrong type first", reply: after(func(m *dnsmessage.Message) {
			q := m.Questions[0]
			q.Type = dnsmessage.TypeTXT
			m.Questions = []dnsmessage.Question{q}
			ptr(60, "forged.example.")(m)
		}), want: "right.example", stats: found},
		{name: "no question first", reply: after(func(m *dnsmessage.Message) { ptr(60, "forged.example.")(m); m.Questions = nil }), want: "right.example", stats: found},
		{name: "query first", reply: after(func(m *dnsmessage.Message) { m.Response = false; ptr(60, "forged.example.")(m) }), want: "right.example", stats: found},
		{name: "garbage first", want: "right.example", stats: found, reply: func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{{}, {1, 2, 3}, respond(q, ptr(60, "right.example."))}
		}},
		{name: "ids guessed", want: "right.example", stats: found, tcp: 1, reply: func(network string, q dnsmessage.Message) [][]byte {
			if network == "tcp" {
				return [][]byte{respond(q, ptr(60, "right.example."))}
			}
			var guesses [][]byte
			for i := range maxStrays {
				guesses = append(guesses, respond(q, func(m *dnsmessage.Message) { m.ID += uint16(i + 1); ptr(60, "forged.example.")(m) }))
			}
			return guesses
		}},
		{name: "other case", want: "right.example", stats: found, reply: once(func(m *dnsmessage.Message) {
			m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("7.2.0.192.IN-ADDR.ARPA."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}
			ptr(60, "right.example.")(m)
		})},
		{name: "classless delegation", want: "right.example", stats: found, reply: once(func(m *dnsmessage.Message) { // RFC 2317
			m.Answers = []dnsmessage.Resource{
				resource("7.0/25.2.0.192.in-addr.arpa.", dnsmessage.TypePTR, 60, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("right.example.")}),
				resource("7.2.0.192.in-addr.arpa.", dnsmessage.TypeCNAME, 60, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("7.0/25.2.0.192.in-addr.arpa.")}),
			}
		})},
		{name: "alias loop", stats: absent, reply: once(func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{
				resource("7.2.0.192.in-addr.arpa.", dnsmessage.TypeCNAME, 60, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.")}),
				resource("x.", dnsmessage.TypeCNAME, 60, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("7.2.0.192.in-addr.arpa.")}),
			}
		})},
		{name: "record of another name", stats: absent, reply: once(func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{
				resource("8.2.0.192.in-addr.arpa.", dnsmessage.TypePTR, 60, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("forged.example.")}),
			}
		})},
		{name: "escape sequence", reply: once(ptr(60, "\x1b[31mred.example.")), stats: refused},
		{name: "line break", reply: once(ptr(60, "a\nb.example.")), stats: refused},
		{name: "markup", reply: once(ptr(60, "<script>.example.")), stats: refused},
		{name: "not ASCII", reply: once(ptr(60, "münchen.example.")), stats: refused},
		{name: "root", reply: once(ptr(60, ".")), stats: refused},
		{name: "dot in a label", stats: refused, reply: func(_ string, q dnsmessage.Message) [][]byte {
			b := respond(q, ptr(60, "aXb.example."))
			b[len(b)-len("Xb\x07example\x00")] = '.'
			return [][]byte{b}
		}},
		{name: "one of them hostile", reply: once(ptr(60, "a b.example.", "right.example.")), want: "right.example", stats: found},
		{name: "no such name", reply: once(none(dnsmessage.RCodeNameError, 60, 60)), stats: absent},
		{name: "no data", reply: once(none(dnsmessage.RCodeSuccess, 60, 60)), stats: absent},
		{name: "SERVFAIL", reply: once(rcode(dnsmessage.RCodeServerFailure)), stats: failed},
		{name: "REFUSED", reply: once(rcode(dnsmessage.RCodeRefused)), stats: failed},
		{name: "referral", stats: failed, reply: once(func(m *dnsmessage.Message) {
			m.RecursionAvailable = false
			m.Authorities = []dnsmessage.Resource{resource(".", dnsmessage.TypeNS, 60, &dnsmessage.NSResource{NS: dnsmessage.MustNewName("a.root.")})}
		})},
		{name: "cut short", stats: failed, reply: func(_ string, q dnsmessage.Message) [][]byte {
			b := respond(q, ptr(60, "right.example."))
			return [][]byte{b[:len(b)-4]}
		}},
		{name: "counts that lie", stats: failed, reply: func(_ string, q dnsmessage.Message) [][]byte {
			b := respond(q, ptr(60, "right.example."))
			b[6], b[7] = 0xff, 0xff // ANCOUNT
			return [][]byte{b}
		}},
		{name: "huge", want: "h0.example", stats: found, tcp: 1, reply: func(network string, q dnsmessage.Message) [][]byte {
			if network == "udp" {
				return [][]byte{respond(q, func(m *dnsmessage.Message) { m.Truncated = true })}
			}
			return [][]byte{respond(q, func(m *dnsmessage.Message) {
				for i := range 2000 {
					ptr(60, "h"+strconv.Itoa(i)+".example.")(m)
				}
			})}
		}},
		{name: "huge datagram", stats: failed, reply: once(func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{resource("7.2.0.192.in-addr.arpa.", dnsmessage.TypeTXT, 60, &dnsmessage.TXTResource{TXT: func() (texts []string) {
				for range 80 {
					texts = append(texts, string(make([]byte, 255)))
				}
				return texts
			}()})}
			ptr(60, "far.example.")(m)
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkName(t, startNameServer(t, tt.reply), tt.want, tt.stats, tt.tcp)
		})
	}
}

func checkName(t *testing.T, server *nameServer, want string, stats SourceStats, tcp int64) {
	t.Helper()
	s := newTestService(t, patient(server.addr))
	notes := map[netip.Addr]Annotation{}
	if want != "" {
		notes[router] = Annotation{Name: want}
	}
	if diff := cmp.Diff(notes, s.Annotate(t.Context(), []netip.Addr{router})); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stats, lookups(s.Stats().Names)); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if got := server.tcpSeen.Load(); got != tcp {
		t.Errorf("%d queries over TCP, want %d", got, tcp)
	}
}

// The right answer from the wrong address, sent first, is not taken.
func TestSpoofedSource(t *testing.T) {
	elsewhere, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	server := &nameServer{
		before: func(q dnsmessage.Message, asker netip.AddrPort) {
			if _, err := elsewhere.WriteToUDPAddrPort(respond(q, ptr(60, "forged.example.")), asker); err != nil {
				t.Error(err)
			}
		},
		reply: func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{respond(q, ptr(60, "right.example."))}
		},
	}
	server.start(t)
	checkName(t, server, "right.example", SourceStats{Found: 1}, 0)
}

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

// A server that is of no use costs one look at it; then the next is asked, and
// stays the first to be asked.
func TestNextServer(t *testing.T) {
	closed := startNameServer(t, nil)
	closed.stop() // the kernel says so
	useless := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		return [][]byte{respond(q, rcode(dnsmessage.RCodeServerFailure))}
	})
	useful := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		return [][]byte{respond(q, ptr(60, "right.example."))}
	})
	s := newTestService(t, patient(closed.addr, useless.addr, useful.addr))
	for i := range 5 {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		if got := s.Annotate(t.Context(), []netip.Addr{addr})[addr].Name; got != "right.example" {
			t.Errorf("%v is named %q", addr, got)
		}
	}
	if got := useless.queries.Load(); got != 1 {
		t.Errorf("the useless server was asked %d times, want once", got)
	}
	if got := useful.queries.Load(); got != 5 {
		t.Errorf("the useful server was asked %d times, want 5", got)
	}
}

func TestValidName(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"a", true},
		{"localhost", true},
		{"xn--mnchen-3ya.example", true},
		{"_dmarc.A-1.example", true},
		{label63 + ".example", true},
		{label63 + "a.example", false},
		{strings.Repeat("a.", 126) + "a", true},
		{strings.Repeat("a.", 127) + "a", false},
		{"", false},
		{".", false},
		{"a.", false},
		{".a", false},
		{"a..b", false},
		{"a b", false},
		{"a\x00b", false},
		{"a\x7f", false},
		{"a\\b", false},
		{"a/b", false},
		{"a:b", false},
		{"ä", false},
		{"a\tb", false},
	} {
		if got := validName(tt.name); got != tt.want {
			t.Errorf("validName(%q) = %v", tt.name, got)
		}
	}
}

// No name server is asked for this host's own addresses: none can know, and
// the question need not leave the host.
func TestLoopbackIsNotAsked(t *testing.T) {
	server := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		t.Errorf("asked for %v", q.Questions[0].Name)
		return nil
	})
	s := newTestService(t, patient(server.addr))
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.9.8.7"), netip.IPv6Loopback()}
	if notes := s.Annotate(t.Context(), addrs); len(notes) != 0 {
		t.Errorf("loopback is called %v", notes)
	}
}
