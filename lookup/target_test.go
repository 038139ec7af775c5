package lookup

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// How long a name takes, by what the servers make of it. Each lookup is made
// twice: the second one knows which servers keep silent.
func TestTargetTiming(t *testing.T) {
	for _, tt := range []struct {
		name    string
		conf    string
		says    map[string]said
		network string // default ip
		want    string // addresses, or part of the error
		took    [2]time.Duration
	}{
		{name: "both", says: map[string]said{"A": has(ms, v4), "AAAA": has(40*ms, v6)}, want: v6 + " " + v4, took: [2]time.Duration{40 * ms, 40 * ms}},
		{name: "AAAA dropped", says: map[string]said{"A": has(ms, v4), "AAAA": never}, want: v4, took: [2]time.Duration{51 * ms, 51 * ms}},
		{name: "A dropped", says: map[string]said{"A": never, "AAAA": has(ms, v6)}, want: v6, took: [2]time.Duration{51 * ms, 51 * ms}},
		{name: "AAAA slow", says: map[string]said{"A": has(ms, v4), "AAAA": has(60*ms, v6)}, want: v4, took: [2]time.Duration{51 * ms, 51 * ms}},
		{name: "IPv6 only", says: map[string]said{"A": noData, "AAAA": has(300*ms, v6)}, want: v6, took: [2]time.Duration{300 * ms, 300 * ms}},
		{name: "A fails", says: map[string]said{"A": failing, "AAAA": has(300*ms, v6)}, want: v6, took: [2]time.Duration{300 * ms, 300 * ms}},
		{name: "mapped", says: map[string]said{"A": noData, "AAAA": has(ms, "::ffff:192.0.2.1")}, want: v4, took: [2]time.Duration{ms, ms}},
		{name: "no such name, AAAA dropped", says: map[string]said{"A": noName, "AAAA": never}, want: "no such host", took: [2]time.Duration{51 * ms, 51 * ms}},
		{name: "NXDOMAIN for AAAA only", says: map[string]said{"A": has(200*ms, v4), "AAAA": noName}, want: v4, took: [2]time.Duration{200 * ms, 200 * ms}},
		{name: "no data", says: map[string]said{"A": noData, "AAAA": noData}, want: "no such host", took: [2]time.Duration{ms, ms}},
		{name: "no data, AAAA fails", says: map[string]said{"A": noData, "AAAA": failing}, want: "SERVFAIL", took: [2]time.Duration{ms, ms}},
		{name: "asked for IPv4", network: "ip4", says: map[string]said{"A": has(ms, v4), "AAAA": never}, want: v4, took: [2]time.Duration{ms, ms}},
		{name: "asked for IPv6", network: "ip6", says: map[string]said{"A": never, "AAAA": has(ms, v6)}, want: v6, took: [2]time.Duration{ms, ms}},
		{name: "no-aaaa", conf: oneConf + "options no-aaaa\n", says: map[string]said{"A": has(ms, v4), "AAAA": has(ms, v6)}, want: v4, took: [2]time.Duration{ms, ms}},
		{name: "slow server", says: map[string]said{"A": has(1700*ms, v4), "AAAA": has(1700*ms, v6)}, want: v6 + " " + v4, took: [2]time.Duration{1700 * ms, 1700 * ms}},
		{name: "first dead", conf: manyConf, says: map[string]said{"192.0.2.53": never, "A": has(ms, v4)}, want: v4, took: [2]time.Duration{501 * ms, ms}},
		{name: "two dead", conf: manyConf, says: map[string]said{"192.0.2.53": never, "198.51.100.53": never, "A": has(ms, v4)}, want: v4, took: [2]time.Duration{1001 * ms, ms}},
		{name: "first fails", conf: manyConf, says: map[string]said{"192.0.2.53": failing, "A": has(ms, v4)}, want: v4, took: [2]time.Duration{2 * ms, ms}},
		{name: "first slow, others dead", conf: manyConf, says: map[string]said{"198.51.100.53": never, "203.0.113.53": never, "A": has(1800*ms, v4), "AAAA": noData}, want: v4, took: [2]time.Duration{1800 * ms, 1800 * ms}},
		{name: "one dead, others fail", conf: manyConf, says: map[string]said{"192.0.2.53": never, "A": failing, "AAAA": failing}, want: "SERVFAIL", took: [2]time.Duration{1502 * ms, 2 * ms}},
		{name: "all fail", conf: manyConf, says: map[string]said{"A": failing, "AAAA": failing}, want: "SERVFAIL", took: [2]time.Duration{3 * ms, 3 * ms}},
		{name: "all dead", conf: manyConf, says: map[string]said{"A": never, "AAAA": never}, want: "no name server answered", took: [2]time.Duration{TargetTimeout, TargetTimeout}},
		{name: "options", conf: oneConf + "options timeout:1 attempts:1\n", says: map[string]said{"A": never, "AAAA": never}, want: "deadline", took: [2]time.Duration{time.Second, time.Second}},
		{name: "timeout and attempts", conf: oneConf + "options timeout:2 attempts:2\n", says: map[string]said{"A": never, "AAAA": never}, want: "deadline", took: [2]time.Duration{2500 * ms, 2500 * ms}},
		{name: "timeout beyond all", conf: oneConf + "options timeout:30 attempts:5\n", says: map[string]said{"A": never, "AAAA": never}, want: "no name server answered", took: [2]time.Duration{TargetTimeout, TargetTimeout}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{says: tt.says}
				if tt.conf == "" {
					tt.conf = oneConf
				}
				if tt.network == "" {
					tt.network = "ip"
				}
				service := newScripted(t, Config{}, s, tt.conf)
				defer service.Close()
				for i, want := range tt.took {
					var addrs []netip.Addr
					var err error
					if d := took(func() { addrs, err = service.LookupNetIP(t.Context(), tt.network, "www.example") }); d != want {
						t.Errorf("lookup %d took %v, want %v", i, d, want)
					}
					checkAddrs(t, tt.want, addrs, err)
				}
			})
		})
	}
}

// A chain of as many aliases as a name server follows is followed, in any order
// of the records; one that does not end is not.
func TestTargetAliases(t *testing.T) {
	chain := func(n int, more ...string) said {
		names := []string{"www.example."}
		for i := range n {
			names = append(names, fmt.Sprintf("alias%d.example.", i))
		}
		names = append(names, more...)
		return said{ms, func(m *dnsmessage.Message) {
			for i := range len(names) - 1 {
				m.Answers = append(m.Answers, resource(names[i], dnsmessage.TypeCNAME, 60, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(names[i+1])}))
			}
			m.Answers = append(m.Answers, resource(fmt.Sprintf("alias%d.example.", n-1), dnsmessage.TypeA, 60, &dnsmessage.AResource{A: netip.MustParseAddr(v4).As4()}))
			slices.Reverse(m.Answers)
		}}
	}
	for _, tt := range []struct {
		name string
		says said
		want string
	}{
		{"followed", chain(11), v4},
		{"too many", chain(maxAliases + 1), "no such host"},
		{"loop", chain(3, "www.example."), "no such host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := newScripted(t, Config{}, &script{says: map[string]said{"A": tt.says}}, oneConf)
				defer service.Close()
				addrs, err := service.LookupNetIP(t.Context(), "ip4", "www.example")
				checkAddrs(t, tt.want, addrs, err)
			})
		})
	}
}

// Servers that keep silent are set aside for targets as for hops, and asked
// again by targets when no other answers.
func TestTargetSetsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: map[string]said{"A": never, "AAAA": never, "PTR": never}}
		service := newScripted(t, Config{}, s, oneConf)
		defer service.Close()
		if _, err := service.LookupNetIP(t.Context(), "ip", "www.example"); err == nil {
			t.Fatal("no error")
		}
		if diff := cmp.Diff(ServerStats{SetAside: 1, Outages: 1}, service.Stats().Servers); diff != "" {
			t.Errorf("servers (-want +got):\n%s", diff)
		}
		if d := took(func() { service.Annotate(t.Context(), []netip.Addr{router}) }); d != 0 {
			t.Errorf("a name of a hop took %v", d)
		}
		s.set("A", has(700*ms, v4)) // it answers, slowly
		s.set("AAAA", has(700*ms))
		addrs, err := service.LookupNetIP(t.Context(), "ip", "www.example")
		checkAddrs(t, v4, addrs, err)
		if got := service.Stats().Servers.SetAside; got != 0 {
			t.Error("still set aside")
		}
	})
}

// Which names are asked for, by search list, options and hosts file.
func TestTargetNames(t *testing.T) {
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("\ufeff\n127.0.0.1 localhost\n::1 localhost ip6-localhost # us\n"+
		"192.0.2.9 Printer.lan printer\n#192.0.2.10 printer\nfe80::7%lo printer\nx y\n192.0.2.9\n::ffff:192.0.2.8 mapped. v4.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const found = "www.corp.example"
	for _, tt := range []struct {
		name, conf, host, network string
		want                      string
		asked                     []string // of type A, over UDP
	}{
		{name: "as it is", host: "a.example", want: v4, asked: []string{"a.example."}},
		{name: "as it is, then searched", conf: "search x.example corp.example\n", host: "www.corp", want: "no such host", asked: []string{"www.corp.", "www.corp.x.example.", "www.corp.corp.example."}},
		{name: "searched", conf: "search x.example corp.example.\n", host: "www", want: v4, asked: []string{"www.x.example.", found + "."}},
		{name: "searched, then as it is", conf: "search x.example\n", host: "www", want: "no such host", asked: []string{"www.x.example.", "www."}},
		{name: "with a dot behind", conf: "search corp.example\n", host: "www.", want: "no such host", asked: []string{"www."}},
		{name: "ndots", conf: "search corp.example\noptions ndots:2\n", host: "a.example", want: v4, asked: []string{"a.example.corp.example.", "a.example."}},
		{name: "domain", conf: "search x.example\ndomain corp.example\n", host: "www", want: v4, asked: []string{found + "."}},
		{name: "failure, then found", conf: "search fails.example corp.example\n", host: "www", want: v4, asked: []string{"www.fails.example.", found + "."}},
		{name: "failure, then not", conf: "search fails.example x.example\n", host: "www", want: "SERVFAIL", asked: []string{"www.fails.example.", "www.x.example.", "www."}},
		{name: "not, then failure", conf: "search fails.example\n", host: "x.example", want: "no such host", asked: []string{"x.example.", "x.example.fails.example."}},
		{name: "silence", conf: "search mute.example corp.example\noptions timeout:1 attempts:1\n", host: "www", want: "deadline", asked: []string{"www.mute.example."}},
		{name: "too long a domain", conf: "search " + strings.Repeat("a.", 120) + "a corp.example\n", host: "www.corp.corp", want: "no such host", asked: []string{"www.corp.corp.", "www.corp.corp.corp.example."}},
		{name: "hosts", host: "PRINTER", want: "192.0.2.9 fe80::7%lo"},
		{name: "hosts, with a dot behind", host: "printer.lan.", want: "192.0.2.9"},
		{name: "hosts, mapped", host: "mapped", want: "192.0.2.8"},
		{name: "hosts, one family", host: "localhost", network: "ip6", want: "::1"},
		{name: "hosts, the other family", host: "printer.lan", network: "ip6", want: "no such host"},
		{name: "hosts, loopback", host: "localhost", want: "::1 127.0.0.1"},
		{name: "onion", host: "a.onion", want: "no such host"},
		{name: "no name", host: "a b", want: "no such host"},
		{name: "network", host: "a.example", network: "tcp", want: "invalid network tcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{says: map[string]said{
					found + ". A": has(ms, v4), "a.example. A": has(ms, v4), found + ". AAAA": noData, "a.example. AAAA": noData,
					"www.fails.example. A": failing, "www.fails.example. AAAA": failing, "x.example.fails.example. A": failing, "www.mute.example. A": never, "www.mute.example. AAAA": never,
				}}
				if tt.network == "" {
					tt.network = "ip"
				}
				service := newScripted(t, Config{Hosts: hosts}, s, oneConf+tt.conf)
				defer service.Close()
				addrs, err := service.LookupNetIP(t.Context(), tt.network, tt.host)
				checkAddrs(t, tt.want, addrs, err)
				var asked []string
				for _, query := range s.asked() {
					if name, ok := strings.CutSuffix(query, " A"); ok {
						asked = append(asked, strings.TrimPrefix(name, "udp "))
					}
				}
				if diff := cmp.Diff(tt.asked, asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// use-vc and edns0 hold for targets and hops, whichever servers are asked. A
// server that does not know EDNS is asked without.
func TestResolverOptions(t *testing.T) {
	for _, tt := range []struct {
		options string
		says    map[string]said
		want    []string
	}{
		{options: "", want: []string{"udp www.example. A", "udp " + reverseName(router) + " PTR"}},
		{options: "use-vc", want: []string{"tcp www.example. A", "tcp " + reverseName(router) + " PTR"}},
		{options: "edns0", want: []string{"udp www.example. A edns", "udp " + reverseName(router) + " PTR edns"}},
		{
			options: "edns0", says: map[string]said{" edns": {0, rcode(dnsmessage.RCodeFormatError)}},
			want: []string{"udp www.example. A edns", "udp www.example. A", "udp " + reverseName(router) + " PTR edns", "udp " + reverseName(router) + " PTR"},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{says: map[string]said{"A": has(ms, v4), "PTR": {ms, ptr(60, "right.example.")}}}
			for key, a := range tt.says {
				s.set(key, a)
			}
			service := newScripted(t, Config{Servers: []netip.AddrPort{thirdServer}}, s, oneConf+"options "+tt.options+"\n")
			defer service.Close()
			addrs, err := service.LookupNetIP(t.Context(), "ip4", "www.example")
			checkAddrs(t, v4, addrs, err)
			if notes := service.Annotate(t.Context(), []netip.Addr{router}); notes[router].Name != "right.example" {
				t.Errorf("%s: annotations %v", tt.options, notes)
			}
			if diff := cmp.Diff(tt.want, s.asked()); diff != "" {
				t.Errorf("%s: asked (-want +got):\n%s", tt.options, diff)
			}
		})
	}
}

// A server that is silent over TCP is set aside when it is asked over TCP only.
func TestSilenceOverTCPOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: map[string]said{"PTR": never}}
		service := newScripted(t, Config{Attempts: 1}, s, oneConf+"options use-vc\n")
		defer service.Close()
		service.Annotate(t.Context(), addresses(0, silentAfter))
		time.Sleep(DefaultTimeout)
		synctest.Wait()
		if diff := cmp.Diff(ServerStats{SetAside: 1, Outages: 1}, service.Stats().Servers); diff != "" {
			t.Errorf("servers (-want +got):\n%s", diff)
		}
		if got := s.asked(); got[len(got)-1] != "tcp "+trialName+" PTR" {
			t.Errorf("asked %q", got)
		}
	})
}

// Many names whose servers keep silent hold few sockets, and those that take no
// longer than usual are resolved meanwhile, whichever server answers.
func TestTargetSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{says: map[string]said{"A": never, "AAAA": never, "203.0.113.53 www.example. A": has(400*ms, v4), "203.0.113.53 www.example. AAAA": noData}}
		service := newScripted(t, Config{}, s, manyConf)
		defer service.Close()
		const names = 200
		for i := range names {
			go service.LookupNetIP(t.Context(), "ip", fmt.Sprintf("name%d.example", i))
		}
		time.Sleep(4600 * ms)
		if open := service.dns.open.Load(); open < names || open > 2*names {
			t.Errorf("%d tries under way for %d names", open, names)
		}
		addrs, err := service.LookupNetIP(t.Context(), "ip", "www.example")
		checkAddrs(t, v4, addrs, err)
		time.Sleep(TargetTimeout)
		synctest.Wait()
		if open := service.dns.open.Load(); open != 0 {
			t.Errorf("%d tries under way in the end", open)
		}
	})
}

// The end of a trace or of the service ends a lookup at once.
func TestTargetEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newScripted(t, Config{}, &script{says: map[string]said{"A": never, "AAAA": never}}, manyConf)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d := took(func() { service.LookupNetIP(ctx, "ip", "www.example") }); d != time.Second {
			t.Errorf("took %v", d)
		}
		failed := make(chan error)
		go func() {
			_, err := service.LookupNetIP(t.Context(), "ip", "www.example")
			failed <- err
		}()
		synctest.Wait()
		service.Close()
		if err := <-failed; err == nil {
			t.Error("no error from a closed service")
		}
		if _, err := service.LookupNetIP(t.Context(), "ip", "www.example"); err == nil {
			t.Error("a closed service asked")
		}
	})
}
