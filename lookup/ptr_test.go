package lookup

import (
	"net"
	"net/netip"
	"strconv"
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
	s, err := New(t.Context(), hermetic(c))
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
		{name: "an address", reply: once(ptr(60, "8.8.8.8.", "127.1.", "0x7f000001.")), stats: refused},
		{name: "no host name", reply: once(ptr(60, "-x.example.", "x-.example.")), stats: refused},
		{name: "an address, by an alias", stats: refused, reply: once(func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{
				resource("7.2.0.192.in-addr.arpa.", dnsmessage.TypeCNAME, 60, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.")}),
				resource("x.", dnsmessage.TypePTR, 60, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("8.8.8.8.")}),
			}
		})},
		{name: "one of them an address", reply: once(ptr(60, "1.1.1.1.", "right.example.")), want: "right.example", stats: found},
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
