package lookup

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestSystemNames(t *testing.T) {
	missing := &net.DNSError{Err: "no such host", IsNotFound: true}
	for _, tt := range []struct {
		name  string
		names []string
		err   error
		want  answer[string]
	}{
		{"name", []string{"right.example."}, nil, answer[string]{"right.example", found, SystemTTL}},
		{"without dot", []string{"localhost"}, nil, answer[string]{"localhost", found, SystemTTL}},
		{"some malformed", []string{"right.example."}, &net.DNSError{Err: "malformed"}, answer[string]{"right.example", found, SystemTTL}},
		{"hostile", []string{"a b"}, nil, answer[string]{"", refused, SystemTTL}},
		{"an address", []string{"8.8.8.8", "-x.example."}, nil, answer[string]{"", refused, SystemTTL}},
		{"nothing", nil, nil, answer[string]{"", absent, SystemTTL}},
		{"not found", nil, missing, answer[string]{"", absent, SystemTTL}},
		{"timeout", nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}, answer[string]{"", silent, FailureTTL}},
		{"failure", nil, &net.DNSError{Err: "server misbehaving"}, answer[string]{"", failed, FailureTTL}},
		{"other error", nil, errors.New("no resolver"), answer[string]{"", failed, FailureTTL}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := systemNames{func(_ context.Context, addr string) ([]string, error) {
				if addr != router.String() {
					t.Errorf("asked for %s", addr)
				}
				return tt.names, tt.err
			}}
			if diff := cmp.Diff(tt.want, s.nameOf(t.Context(), router), cmp.AllowUnexported(answer[string]{})); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// A resolver of endless patience is cut off.
func TestSystemTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := systemNames{func(ctx context.Context, _ string) ([]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		var a answer[string]
		if d := took(func() { a = s.nameOf(t.Context(), router) }); d != systemTimeout || a.fate != silent {
			t.Errorf("fate %d after %v", a.fate, d)
		}
	})
}

// Go's own resolver against a name server on loopback.
func TestSystemOverLoopback(t *testing.T) {
	server := startNameServer(t, func(_ string, q dnsmessage.Message) [][]byte {
		switch q.Questions[0].Name.String() {
		case reverseName(router):
			return [][]byte{respond(q, ptr(60, "right.example."))}
		default:
			return [][]byte{respond(q, none(dnsmessage.RCodeNameError, 60, 60))}
		}
	})
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.addr.String())
	}}
	s := systemNames{resolver.LookupAddr}
	if a := s.nameOf(t.Context(), router); a.value != "right.example" || a.fate != found {
		t.Errorf("%v: %+v", router, a)
	}
	if a := s.nameOf(t.Context(), netip.MustParseAddr("192.0.2.8")); a.fate != absent {
		t.Errorf("an address without a name: %+v", a)
	}
}

// Close ends a lookup by the host's resolver although its name server is
// silent, which net's resolver alone waits for, for 5 s.
func TestSystemClose(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := startNameServer(t, func(string, dnsmessage.Message) [][]byte {
		select {
		case asked <- struct{}{}:
		default:
		}
		return nil
	})
	resolver := &net.Resolver{PreferGo: true, Dial: closedByContext(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.addr.String())
	})}
	c, err := Config{}.complete()
	if err != nil {
		t.Fatal(err)
	}
	names, err := newSource(c, systemNames{resolver.LookupAddr}.nameOf)
	if err != nil {
		t.Fatal(err)
	}
	names.want(router)
	<-asked
	if d := took(names.close); d > systemTimeout/2 {
		t.Errorf("took %v", d)
	}
}

func TestSystemMode(t *testing.T) {
	// Without a line in this file the question would leave the host.
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil || !bytes.HasPrefix(hosts, []byte("127.0.0.1")) && !bytes.Contains(hosts, []byte("\n127.0.0.1")) {
		t.Skip("/etc/hosts does not name 127.0.0.1")
	}
	s := newTestService(t, Config{Names: System, Budget: time.Minute})
	loopback := netip.MustParseAddr("127.0.0.1")
	if notes := s.Annotate(t.Context(), []netip.Addr{loopback}); notes[loopback].Name == "" {
		t.Errorf("annotations %v, stats %+v", notes, s.Stats())
	}
}
