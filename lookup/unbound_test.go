package lookup

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// unboundConf serves some names of its own and cannot ask anybody for others:
// everything else is refused, and it has no way out but loopback.
const unboundConf = `server:
	interface: 127.0.0.1
	outgoing-interface: 127.0.0.1
	port: %d
	directory: "%s"
	pidfile: ""
	username: ""
	chroot: ""
	logfile: ""
	use-syslog: no
	do-daemonize: no
	num-threads: 1
	verbosity: 1
	module-config: "iterator"
	access-control: 127.0.0.0/8 allow
	local-zone: "." refuse
	local-zone: "2.0.192.in-addr.arpa." static
	local-data: "2.0.192.in-addr.arpa. 120 IN SOA ns.example. mail.example. 1 2 3 4 90"
	local-data-ptr: "192.0.2.1 300 core1.example"
	local-data-ptr: "192.0.2.2 300 core2.example"
	local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." static
	local-data-ptr: "2001:db8::1 300 core1.v6.example"
	local-zone: "10.in-addr.arpa." static
	local-data-ptr: "10.0.0.1 300 gw.internal"
	local-data: '66.2.0.192.in-addr.arpa. 300 IN PTR evil\032name.example.'
	local-zone: "targets.example." static
	local-data: "both.targets.example. 300 IN A 192.0.2.1"
	local-data: "both.targets.example. 300 IN AAAA 2001:db8::1"
	local-data: "four.targets.example. 300 IN A 192.0.2.4"
	local-data: "six.targets.example. 300 IN AAAA 2001:db8::6"
	local-data: "xn--bcher-kva.targets.example. 300 IN A 192.0.2.5"
	local-zone: "origin.example." static
	local-data: '1.1.1.1.origin.example. 300 IN TXT "13335 | 1.1.1.0/24 | AU | apnic | 2011-08-11"'
	local-data: '8.8.8.8.origin.example. 300 IN TXT "15169 | 8.8.8.0/24 | US | arin | 1992-12-01"'
	local-data: '8.8.8.8.origin.example. 300 IN TXT "3356 | 8.0.0.0/9 | US | arin | 1992-12-01"'
	local-data: '4.4.8.8.origin.example. 300 IN TXT "15169 3356 | 8.8.4.0/24 | US | arin | 1992-12-01"'
	local-data: '1.0.0.1.origin.example. 300 IN TXT "64511 | 1.0.0.0/24 | AU | apnic | 2011-08-11"'
	local-data: '9.9.9.9.origin.example. 300 IN TXT "<script> | 9.9.9.0/24 | US | arin |"'
	local-zone: "origin6.example." static
	local-data: '1.1.1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.6.0.6.2.origin6.example. 300 IN TXT "13335 | 2606:4700::/32 | US | arin | 2011-11-01"'
%s`

// startUnbound runs a name server on loopback, as Debian packages it.
func startUnbound(t *testing.T) (*os.Process, netip.AddrPort) {
	t.Helper()
	path, err := exec.LookPath("unbound")
	if err != nil {
		t.Skip("no unbound: install Debian's package unbound")
	}
	free := startNameServer(t, nil) // finds a port that is free for UDP and TCP
	free.stop()
	var many strings.Builder // too much for a datagram
	for i := range 40 {
		fmt.Fprintf(&many, "\tlocal-data-ptr: \"192.0.2.40 300 vhost%02d.hosting.example\"\n", i)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, unboundConf, free.addr.Port(), dir, many.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-d", "-c", conf)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	logged := make(chan []string, 1)
	ready := make(chan struct{})
	go func() {
		var seen []string
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			seen = append(seen, lines.Text())
			if strings.Contains(lines.Text(), "start of service") {
				close(ready)
			}
		}
		logged <- seen
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-logged
		cmd.Wait()
	})
	select {
	case <-ready:
	case seen := <-logged:
		logged <- nil
		t.Fatalf("unbound did not start:\n%s", strings.Join(seen, "\n"))
	}
	return cmd.Process, free.addr
}

func TestUnbound(t *testing.T) {
	_, addr := startUnbound(t)
	s := newTestService(t, patient(addr))
	want := map[netip.Addr]Annotation{
		netip.MustParseAddr("192.0.2.1"):   {Name: "core1.example"},
		netip.MustParseAddr("192.0.2.2"):   {Name: "core2.example"},
		netip.MustParseAddr("10.0.0.1"):    {Name: "gw.internal"},
		netip.MustParseAddr("2001:db8::1"): {Name: "core1.v6.example"},
		netip.MustParseAddr("192.0.2.40"):  {Name: "vhost00.hosting.example"}, // over TCP
	}
	var addrs []netip.Addr
	for addr := range want {
		addrs = append(addrs, addr)
	}
	addrs = append(addrs,
		netip.MustParseAddr("192.0.2.3"),   // NXDOMAIN
		netip.MustParseAddr("192.0.2.66"),  // a hostile name
		netip.MustParseAddr("203.1.113.1"), // REFUSED
	)
	if diff := cmp.Diff(want, s.Annotate(t.Context(), addrs), compareAddrs); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(SourceStats{Found: 5, Absent: 1, Refused: 1, Failed: 1}, lookups(s.Stats().Names)); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// Addresses of names, over UDP, over TCP alone, and with EDNS.
func TestUnboundTargets(t *testing.T) {
	_, addr := startUnbound(t)
	silent := startNameServer(t, func(string, dnsmessage.Message) [][]byte { return nil })
	for _, options := range []string{"", "use-vc", "edns0"} {
		c := patient(silent.addr, addr)
		c.ResolvConf = filepath.Join(t.TempDir(), "resolv.conf")
		if err := os.WriteFile(c.ResolvConf, []byte("search nowhere.example targets.example\noptions "+options+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newTestService(t, c)
		s.sourceOf = func(_ context.Context, addr netip.Addr) netip.Addr { return addr }
		if options != "" { // once is enough
			s.UseServers([]netip.AddrPort{addr})
		}
		for _, tt := range []struct{ network, host, want string }{
			{"ip", "both.targets.example", "2001:db8::1 192.0.2.1"},
			{"ip", "both", "2001:db8::1 192.0.2.1"},
			{"ip4", "BOTH.targets.example.", "192.0.2.1"},
			{"ip6", "both.targets.example", "2001:db8::1"},
			{"ip", "four.targets.example", "192.0.2.4"},
			{"ip", "six.targets.example", "2001:db8::6"},
			{"ip6", "four.targets.example", "no such host"},
			{"ip", "xn--bcher-kva.targets.example", "192.0.2.5"},
			{"ip", "none.targets.example.", "no such host"},
			{"ip", "refused.example.", "REFUSED"},
		} {
			addrs, err := s.LookupNetIP(t.Context(), tt.network, tt.host)
			checkAddrs(t, tt.want, addrs, err)
		}
	}
	if asked := silent.queries.Load(); asked == 0 || asked > 12 { // by the first names, and in trials
		t.Errorf("the silent server was asked %d times", asked)
	}
}

// AS numbers by TXT records, beside a table that takes precedence.
func TestUnboundOrigins(t *testing.T) {
	_, addr := startUnbound(t)
	c := patient(addr)
	c.Names, c.Tables, c.OriginZones = Off, []string{"testdata/asn.csv"}, OriginZones{"origin.example", "origin6.example"}
	s := newTestService(t, c)
	want := map[netip.Addr]Annotation{
		netip.MustParseAddr("1.1.1.1"):         {ASN: 13335},
		netip.MustParseAddr("8.8.8.8"):         {ASN: 15169}, // the longer prefix
		netip.MustParseAddr("1.0.0.1"):         {ASN: 13335}, // the table's
		netip.MustParseAddr("203.0.113.1"):     {ASN: 64500}, // the table's, documentation or not
		netip.MustParseAddr("2606:4700::1111"): {ASN: 13335},
	}
	var addrs []netip.Addr
	for addr := range want {
		addrs = append(addrs, addr)
	}
	addrs = append(addrs,
		netip.MustParseAddr("8.8.4.4"), // two origins
		netip.MustParseAddr("7.7.7.7"), // NXDOMAIN: unannounced
		netip.MustParseAddr("9.9.9.9"), // nonsense
		netip.MustParseAddr("10.0.0.1"),
	)
	if diff := cmp.Diff(want, s.Annotate(t.Context(), addrs), compareAddrs); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(SourceStats{Found: 3, Absent: 2, Refused: 1}, lookups(s.Stats().Origins)); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	// All of them are remembered, also that there is none.
	before := s.Stats().Origins
	s.Annotate(t.Context(), addrs)
	after := s.Stats().Origins
	if hits, misses := after.Hits-before.Hits, after.Misses-before.Misses; hits != 6 || misses != 0 {
		t.Errorf("%d hits, %d misses", hits, misses)
	}
}

// A name server that hangs, then dies, takes names away and nothing else.
func TestUnboundDies(t *testing.T) {
	process, addr := startUnbound(t)
	const budget = 100 * time.Millisecond
	s := newTestService(t, Config{Servers: []netip.AddrPort{addr}, Budget: budget, Tables: []string{"testdata/asn.csv"}})
	known := netip.MustParseAddr("192.0.2.1")
	numbered := netip.MustParseAddr("1.0.0.1")
	s.Prefetch(known)
	if notes := s.Annotate(t.Context(), []netip.Addr{known}); notes[known].Name != "core1.example" {
		t.Fatalf("annotations %v, stats %+v", notes, s.Stats())
	}
	want := map[netip.Addr]Annotation{known: {Name: "core1.example"}, numbered: {ASN: 13335}}
	for _, step := range []struct {
		signal  syscall.Signal
		unknown netip.Addr
	}{
		{syscall.SIGSTOP, netip.MustParseAddr("192.0.2.2")}, // silence
		{syscall.SIGKILL, netip.MustParseAddr("10.0.0.1")},  // port unreachable
	} {
		if err := process.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		addrs := []netip.Addr{known, step.unknown, numbered}
		var notes map[netip.Addr]Annotation
		d := took(func() { notes = s.Annotate(t.Context(), addrs) })
		if diff := cmp.Diff(want, notes, compareAddrs); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", step.signal, diff)
		}
		// Exactly the budget is TestBudget's to assert, in a bubble's time. A
		// single try at a name server takes five times as long.
		if d >= DefaultTimeout {
			t.Errorf("after %v: took %v with a budget of %v", step.signal, d, budget)
		}
	}
}
