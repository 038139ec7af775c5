//go:build linux

package e2e

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"probe-agent/api/cloudflare"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// newNamingDaemon starts a daemon that asks the name server on its host, and
// knows the AS numbers of the lab.
func newNamingDaemon(t *testing.T, lab *kernel.Lab, options ...string) *daemon {
	t.Helper()
	numbers := filepath.Join(t.TempDir(), "asn.csv")
	ranges := "198.18.0.0,198.19.255.255,64500\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64501\n"
	if err := os.WriteFile(numbers, []byte(ranges), 0o600); err != nil {
		t.Fatal(err)
	}
	return startDaemon(t, lab, nil, append([]string{"--name-server", nameServerAddress, "--asn-data", numbers}, options...)...)
}

// traced asks for a trace and returns its entry without what no two traces
// have in common: times.
func (d *daemon) traced(t testing.TB, target netip.Addr) cloudflare.ColoResult {
	t.Helper()
	a := d.ask(t, http.MethodPost, endpointPath, body(target, `"wait_time":5`))
	if a.status != http.StatusOK || len(a.Result) != 1 || a.Result[0].Colos[0].Error != "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	colo := a.Result[0].Colos[0]
	colo.TimeMS = 0
	s := &colo.Summary
	*s = cloudflare.TargetSummary{ASN: s.ASN, IP: s.IP, Name: s.Name, PacketCount: s.PacketCount}
	for _, h := range colo.Hops {
		for i, n := range h.Nodes {
			h.Nodes[i] = cloudflare.Node{ASN: n.ASN, IP: n.IP, Name: n.Name, PacketCount: n.PacketCount, Labels: n.Labels}
		}
	}
	return colo
}

// named returns the entry with other names for its nodes.
func named(colo cloudflare.ColoResult, name func(addr string) string) cloudflare.ColoResult {
	hops := make([]cloudflare.Hop, len(colo.Hops))
	for i, h := range colo.Hops {
		hops[i] = h
		hops[i].Nodes = slices.Clone(h.Nodes)
		for j := range hops[i].Nodes {
			hops[i].Nodes[j].Name = name(hops[i].Nodes[j].IP)
		}
	}
	colo.Hops = hops
	return colo
}

func itself(addr string) string { return addr }

// tracedNamed asks until all names are there.
func (d *daemon) tracedNamed(t testing.TB, target netip.Addr) cloudflare.ColoResult {
	t.Helper()
	return d.tracedUntil(t, target, func(colo cloudflare.ColoResult) string { return gocmp.Diff(named(colo, nameOf), colo) })
}

// tracedUntil asks until the answer lacks nothing: a busy machine may take
// longer to bring names than a trace waits, and 30 s to ask for them again.
func (d *daemon) tracedUntil(t testing.TB, target netip.Addr, lacks func(cloudflare.ColoResult) string) cloudflare.ColoResult {
	t.Helper()
	deadline := time.After(4 * patience)
	// Seldom soon: the log of more requests would fill its pipe.
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		colo := d.traced(t, target)
		diff := lacks(colo)
		if diff == "" {
			return colo
		}
		select {
		case <-time.After(pause):
		case <-deadline:
			t.Fatal(diff)
		}
	}
}

// A name server that dies or hangs in mid-run turns the names of addresses that
// are asked for from then on into addresses, and changes nothing else.
func TestNameServerDies(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, chain())
	four, six := lab.Target.IPv4, lab.Target.IPv6
	process, kill := startUnbound(t, lab)
	undisturbed := newNamingDaemon(t, lab)
	want4, want6 := undisturbed.tracedNamed(t, four), undisturbed.tracedNamed(t, six)
	if n := want6.Hops[0].Nodes[0]; len(want4.Hops) != 6 || len(want6.Hops) != 6 || n.ASN != "AS64501" {
		t.Fatalf("%+v, %+v", want4, want6)
	}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		if signal == syscall.SIGKILL {
			kill() // the one that hangs holds the port
			process, _ = startUnbound(t, lab)
		}
		d := newNamingDaemon(t, lab)
		equal(t, want4, d.tracedNamed(t, four))
		if err := process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		equal(t, named(want6, itself), d.traced(t, six))
		equal(t, want4, d.traced(t, four)) // remembered
		if signal == syscall.SIGSTOP {
			eventually(t, func() string { return d.lacks(t, "probe_agent_lookup_servers_set_aside 1") })
		}
		equal(t, named(want6, itself), d.traced(t, six))
		d.healthy(t)
	}
}

// lacks says that a line is missing at /metrics.
func (d *daemon) lacks(t testing.TB, line string) string {
	t.Helper()
	response, err := d.client.Get("http://" + d.address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "\n"+line+"\n") {
		return ""
	}
	return "no " + line
}

// A name server that answers later than anybody waits: the trace is answered
// without names, in the time that it took itself, and the names are there for a
// later one.
func TestNameServerSlow(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1)) // two names: not enough to be set aside for
	server := startHeldNames(t, lab, netip.Addr{})
	d := newNamingDaemon(t, lab)
	target := lab.Target.IPv4

	started := time.Now()
	a := d.ask(t, http.MethodPost, endpointPath, body(target, ""))
	took := time.Since(started)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	first := a.Result[0].Colos[0]
	// Nobody was answered for another half second, so the request has waited
	// out its budget; the trace, which is over before that, has not. Of a trace
	// that a busy machine made slow this cannot be said.
	const budget = 300 * time.Millisecond
	if trace := time.Duration(first.TimeMS) * time.Millisecond; trace < 2*budget && took-trace < budget {
		t.Errorf("took %v, %v of them for the trace: the wait for names is in there", took, trace)
	}
	want := cloudflare.ColoResult{Hops: first.Hops}
	equal(t, named(want, itself), want)
	if asked := server.release(); len(first.Hops) != 2 || asked < 2 {
		t.Errorf("%d hops, %d questions", len(first.Hops), asked)
	}
	d.tracedNamed(t, target)
	d.healthy(t)
}

// Targets are resolved by --name-server, internationalised names too, although
// AAAA queries are dropped and the first name server is dead: by the daemon and
// on the command line.
func TestTargetsByNameServer(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	startHeldNames(t, lab, lab.Target.IPv4).release()
	const dead = "198.18.1.77" // on the first link, where nobody has it
	servers := dead + "," + nameServerAddress
	d := startDaemon(t, lab, nil, "--name-server", servers)
	for _, target := range []string{"target.lab.example", "bücher.lab.example"} {
		a := d.ask(t, http.MethodPost, endpointPath, `{"targets":["`+target+`"]}`)
		if len(a.Result) != 1 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		colo := a.Result[0].Colos[0]
		equal(t, []string{"", target, lab.Target.IPv4.String()}, []string{colo.Error, colo.Summary.Name, colo.Summary.IP})

		trace := lab.Command(t.Context(), "probe-agent", "trace", "--name-server", servers, target)
		trace.Env = environment()
		if out, err := trace.CombinedOutput(); err != nil || !strings.Contains(string(out), lab.Target.IPv4.String()) {
			t.Errorf("trace %s: %v\n%s", target, err, out)
		}
	}
	d.healthy(t)
}

// SIGHUP puts other name servers and another table in use, for addresses that
// were not asked for yet.
func TestNameServersReloaded(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	startUnbound(t, lab)
	folder := t.TempDir()
	config, numbers := filepath.Join(folder, "agent.yaml"), filepath.Join(folder, "asn.csv")
	write := func(server, asn string) {
		t.Helper()
		for path, text := range map[string]string{
			config:  "name-server: " + server + "\nasn-data: " + numbers + "\n",
			numbers: "198.18.0.0,198.19.255.255," + asn + "\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff," + asn + "\n",
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("127.0.0.1:5300", "64500") // nobody is there
	d := startDaemon(t, lab, nil, "--config", config)
	demand := func(colo cloudflare.ColoResult, name func(string) string, asn string) {
		t.Helper()
		equal(t, named(colo, name), colo)
		equal(t, asn, colo.Summary.ASN)
	}
	demand(d.traced(t, lab.Target.IPv4), itself, "AS64500")
	write(nameServerAddress, "64501")
	demand(d.traced(t, lab.Target.IPv4), itself, "AS64500")
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.awaitLog(t, "configuration reloaded")
	demand(d.tracedNamed(t, lab.Target.IPv6), nameOf, "AS64501")
}

// An address that no file knows is asked for by DNS; what a file knows is not.
func TestASNumberByDNS(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	// The host's own, since only public addresses are asked for.
	four, six := netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("2606:4700::1111")
	on(t, lab.Host, func() error {
		loopback, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return errors.Join(
			netlink.AddrAdd(loopback, &netlink.Addr{IPNet: single(four)}),
			netlink.AddrAdd(loopback, &netlink.Addr{IPNet: single(six), Flags: unix.IFA_F_NODAD}),
		)
	})
	startUnbound(t, lab,
		`1.1.1.1.origin.example. 3600 IN TXT "64496 | 1.1.1.0/24 | ZZ | example | 2026-01-01"`,
		`1.1.1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.6.0.6.2.origin6.example. 3600 IN TXT "64497 | 2606:4700::/32 | ZZ | example | 2026-01-01"`,
	)
	d := newNamingDaemon(t, lab, "--names", "off", "--asn-dns-ipv4", "origin.example", "--asn-dns-ipv6", "origin6.example")
	for target, asn := range map[netip.Addr]string{four: "AS64496", six: "AS64497", lab.Target.IPv4: "AS64500"} {
		d.tracedUntil(t, target, func(colo cloudflare.ColoResult) string {
			arrival := colo.Hops[len(colo.Hops)-1].Nodes[0]
			return gocmp.Diff([]string{target.String(), asn, asn}, []string{arrival.IP, arrival.ASN, colo.Summary.ASN})
		})
	}
	d.healthy(t)
}
