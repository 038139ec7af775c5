//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"probe-agent/api/cloudflare"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// reload writes the daemon's configuration anew and waits until it is in use.
func (d *daemon) reload(t testing.TB, path, config string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.awaitLog(t, "configuration reloaded")
}

// traceOf returns what the daemon answers about a target.
func (d *daemon) traceOf(t testing.TB, target string) (cloudflare.ColoResult, string) {
	t.Helper()
	a := d.ask(t, http.MethodPost, endpointPath, fmt.Sprintf(`{"targets":[%q]}`, target))
	if a.status != http.StatusOK || len(a.Result) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	reason := ""
	for _, m := range a.Messages {
		reason += m.Message
	}
	return a.Result[0].Colos[0], reason
}

// Nothing is sent to a refused target, whoever refuses it and however it is
// spelled; what is allowed is traced, and a reload is in force at once.
func TestPolicy(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(2))
	folder := t.TempDir()
	config, list := filepath.Join(folder, "agent.yaml"), filepath.Join(folder, "do-not-probe")
	target := lab.Target.IPv4
	v4 := target.As4()
	sixToFour := fmt.Sprintf("2002:%02x%02x:%02x%02x::1", v4[0], v4[1], v4[2], v4[3])
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(config, "policy: public\n")
	write(list, "# nobody\n")
	d, tap := newDaemon(t, lab, "--config", config), newTap(t, lab)

	const benchmarking = "is in a special-purpose range: benchmarking (RFC 2544)"
	refused := func(when, target, why string) {
		t.Helper()
		before := tap.count(t)
		colo, reason := d.traceOf(t, target)
		if colo.Error != "Could not gather traceroute data: Code 3" || len(colo.Hops) != 0 || !strings.HasSuffix(reason, why) {
			t.Errorf("%s, %s: error %q, %q", when, target, colo.Error, reason)
		}
		if sent := tap.count(t) - before; sent != 0 {
			t.Errorf("%s, %s: %d packets were sent", when, target, sent)
		}
	}
	traced := func(when, first string) {
		t.Helper()
		before := tap.count(t)
		colo, reason := d.traceOf(t, target.String())
		if colo.Error != "" || len(colo.Hops) != 3 || reason != "" {
			t.Fatalf("%s: %+v, %q", when, colo, reason)
		}
		if near := colo.Hops[0].Nodes[0]; near.Name != first || near.PacketCount != 3 {
			t.Errorf("%s: the first hop is %+v, want %s", when, near, first)
		}
		if far := colo.Hops[2].Nodes[0]; far.IP != target.String() {
			t.Errorf("%s: the target is %+v", when, far)
		}
		if sent := tap.count(t) - before; sent < 9 {
			t.Errorf("%s: %d packets were sent", when, sent)
		}
	}

	refused("public", target.String(), target.String()+" "+benchmarking)
	refused("public", "::ffff:"+target.String(), target.String()+" "+benchmarking)
	refused("public", "64:ff9b::"+target.String(), "holds an IPv4 address that "+benchmarking)
	refused("public", sixToFour, "(RFC 3056)")
	refused("public", "255.255.255.255", "is not the address of a host")
	refused("public", "127.0.0.1", "is not to be probed from here")
	refused("public", "127.0.0.2", "loopback (RFC 1122)")

	d.reload(t, config, "policy: public\nallow: "+target.String()+"\n")
	traced("allowed", lab.Routers[0].IPv4.String())
	refused("allowed", lab.Routers[0].IPv4.String(), benchmarking)

	d.reload(t, config, "policy: internal\nredact-hops: 1\ndo-not-probe: "+list+"\n")
	traced("internal", "REDACTED")

	write(list, "# one who asked\n"+target.String()+"\n")
	d.reload(t, config, "policy: internal\nredact-hops: 0\nallow: "+target.String()+"\ndo-not-probe: "+list+"\n")
	refused("do not probe", target.String(), "is not to be probed from here")
	refused("do not probe", "64:ff9b::"+target.String(), "is not to be probed from here")
	refused("do not probe", sixToFour, "is not to be probed from here")
	d.healthy(t)
}

// The host's own addresses are refused by the public policy as they come.
func TestPolicyFollowsTheHost(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	d := newDaemon(t, lab, "--policy", "public")
	// Of nobody that may be special, and not routed in the lab.
	const address = "8.8.8.9"
	allowed := func() bool {
		colo, _ := d.traceOf(t, address)
		return colo.Error != "Could not gather traceroute data: Code 3"
	}
	if !allowed() {
		t.Errorf("%s is refused before it is the host's", address)
	}
	out, err := lab.Command(t.Context(), "ip", "address", "add", address+"/32", "dev", "lo").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, func() string {
		if allowed() {
			return address + " may be probed"
		}
		return ""
	})
}
