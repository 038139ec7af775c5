package lookup

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/dns/dnsmessage"
)

// said is what a server makes of a question.
type said struct {
	after time.Duration // below 0: never answered
	edit  func(*dnsmessage.Message)
}

var (
	thirdServer = netip.MustParseAddrPort("203.0.113.53:53")
	never       = said{after: -1}
	noName      = said{time.Millisecond, rcode(dnsmessage.RCodeNameError)}
	noData      = said{time.Millisecond, rcode(dnsmessage.RCodeSuccess)}
	failing     = said{time.Millisecond, rcode(dnsmessage.RCodeServerFailure)}
)

// has answers with addresses of the family asked for.
func has(after time.Duration, addrs ...string) said {
	return said{after, func(m *dnsmessage.Message) {
		for _, text := range addrs {
			var body dnsmessage.ResourceBody = &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(text).As16()}
			if m.Questions[0].Type == dnsmessage.TypeA {
				body = &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()}
			}
			m.Answers = append(m.Answers, resource(m.Questions[0].Name.String(), m.Questions[0].Type, 60, body))
		}
	}}
}

// script is an exchange in a bubble's time that answers by server, name and
// type, as "192.0.2.53 a.example. AAAA", "a.example. A" or "A".
type script struct {
	mu      sync.Mutex
	says    map[string]said
	queries []string // "NETWORK NAME TYPE", with " edns" behind it if so
}

func (s *script) set(key string, a said) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says[key] = a
}

func (s *script) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

func (s *script) exchange(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
	kind := dns.TypeToString[q.Question[0].Qtype]
	query := q.Question[0].Name + " " + kind
	edns := ""
	if opt := q.IsEdns0(); opt != nil && opt.UDPSize() == ednsSize {
		edns = " edns"
	}
	s.mu.Lock()
	s.queries = append(s.queries, network+" "+query+edns)
	a, known := said{}, false
	for _, key := range []string{edns, server.Addr().String() + " " + query, server.Addr().String(), query, kind} {
		if a, known = s.says[key]; known {
			break
		}
	}
	s.mu.Unlock()
	if !known {
		a = noName
	}
	var arrival <-chan time.Time
	if a.after >= 0 {
		arrival = time.After(a.after)
	}
	select {
	case <-arrival:
		return exchanged(q, a.edit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newScripted returns a Service on a host that has addresses of both families,
// whose name servers are s. It must be closed before the bubble ends.
func newScripted(t *testing.T, c Config, s *script, resolvConf string) *Service {
	t.Helper()
	c.ResolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(c.ResolvConf, []byte(resolvConf), 0o600); err != nil {
		t.Fatal(err)
	}
	service, err := newService(t.Context(), hermetic(c), s.exchange)
	if err != nil {
		t.Fatal(err)
	}
	service.sourceOf = func(_ context.Context, addr netip.Addr) netip.Addr {
		switch {
		case addr.IsLoopback():
			return addr
		case addr.Is4():
			return netip.MustParseAddr("198.51.100.1")
		}
		return netip.MustParseAddr("2001:db8:f::1")
	}
	return service
}

const (
	v4, v6   = "192.0.2.1", "2001:db8::1"
	oneConf  = "search .\nnameserver 192.0.2.53\n"
	manyConf = "search .\nnameserver 192.0.2.53\nnameserver 198.51.100.53\nnameserver 203.0.113.53\n"
	ms       = time.Millisecond
)

// checkAddrs compares with addresses in words, or part of an error.
func checkAddrs(t *testing.T, want string, addrs []netip.Addr, err error) {
	t.Helper()
	var texts []string
	for _, addr := range addrs {
		texts = append(texts, addr.String())
	}
	got := strings.Join(texts, " ")
	if err == nil && got == want {
		return
	}
	failure, ok := errors.AsType[*net.DNSError](err)
	if !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("%q, %v; want %q", got, err, want)
		return
	}
	if failure.IsNotFound != (want == "no such host") || failure.IsTimeout != (want == "deadline" || want == "no name server answered") {
		t.Errorf("error %+v", failure)
	}
}
