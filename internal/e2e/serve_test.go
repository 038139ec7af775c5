//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/cloudflare"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/traceroute"
)

// body is a request for one target.
func body(target fmt.Stringer, options string) string {
	return fmt.Sprintf(`{"targets":[%q],"options":{%s}}`, target, options)
}

// healthy demands that the daemon is well and has closed what it opened.
func (d *daemon) healthy(t testing.TB) {
	t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := d.ask(t, http.MethodGet, path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	d.client.CloseIdleConnections()
	eventually(t, func() string { return cmp.Diff(d.atRest, d.descriptors(t)) })
}

// The daemon answers every way of probing over both families, at both base
// paths, with what is there; a silent hop has the node that says so.
func TestDaemon(t *testing.T) {
	t.Parallel()
	topology := chain()
	topology.Routers[1].Silent = true
	lab := kerneltest.Build(t, topology)
	d := newDaemon(t, lab)
	t.Run("ways", func(t *testing.T) {
		everyWay(t, func(t *testing.T, w way, ipv6 bool) {
			target := lab.Target.Addr(ipv6)
			options := fmt.Sprintf(`"packet_type":%q,"port":%d,"wait_time":1`, w.method, w.port)
			hops, stop := expected(lab, traceroute.Spec{Target: target, Method: w.method})
			if stop != traceroute.Reached {
				t.Fatal("the lab does not lead to its target")
			}
			for _, base := range bases() {
				a := d.ask(t, http.MethodPost, base+endpointPath, body(target, options))
				if a.status != http.StatusOK || !a.Success || len(a.Result) != 1 || len(a.Result[0].Colos) != 1 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				colo := a.Result[0].Colos[0]
				equal(t, traceroute.Colo{Name: "den01", City: "Denver"}, colo.Colo)
				equal(t, hops, rendered(t, colo.Hops))
				equal(t, cloudflare.Node{Name: "NO RESPONSE"}, colo.Hops[1].Nodes[0])
				if colo.Error != "" || colo.TimeMS < 1000 || colo.TimeMS >= 2000 {
					t.Errorf("error %q, took %d ms; want one wait", colo.Error, colo.TimeMS)
				}
				last := colo.Hops[len(colo.Hops)-1]
				if s := colo.Summary; s.IP != target.String() || s.Name != target.String() || s.PacketCount != last.Sent {
					t.Errorf("summary %+v", s)
				}
			}
		})
	})
	d.healthy(t)
}

// rendered is the JSON's hops in the form of expected.
func rendered(t testing.TB, all []cloudflare.Hop) []hop {
	t.Helper()
	var hops []hop
	for _, h := range all {
		shown := hop{TTL: h.TTL, Sent: h.Sent, Lost: h.Lost}
		for _, n := range h.Nodes {
			if n.MinRTT > n.MeanRTT || n.MeanRTT > n.MaxRTT || n.StdDevRTT < 0 || n.MinRTT < 0 {
				t.Errorf("TTL %d: %+v", h.TTL, n)
			}
			if n.IP != "" {
				shown.Nodes = append(shown.Nodes, node{n.IP, n.PacketCount, strings.Join(n.Labels, " ")})
			}
		}
		hops = append(hops, shown)
	}
	return hops
}

// Several targets of one request are traced at once and answered in order;
// what cannot be traced fails alone.
func TestDaemonTargets(t *testing.T) {
	t.Parallel()
	topology := chain()
	topology.Target.Addresses = 4
	lab := kerneltest.Build(t, topology)
	d := newDaemon(t, lab)
	four, six := lab.Targets(false), lab.Targets(true)
	targets := []string{six[3].String(), "0.0.0.0", four[2].String(), four[0].String(), six[0].String(), four[2].String()}
	a := d.ask(t, http.MethodPost, endpointPath, `{"targets":["`+strings.Join(targets, `","`)+`"],"colos":["DEN"]}`)
	if a.status != http.StatusOK || len(a.Result) != len(targets) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for i, r := range a.Result {
		if r.Target != targets[i] {
			t.Errorf("result %d is of %s, want %s", i, r.Target, targets[i])
		}
		colo := r.Colos[0]
		if r.Target == "0.0.0.0" {
			if colo.Error != "Could not gather traceroute data: Code 3" || len(colo.Hops) != 0 {
				t.Errorf("%s: error %q, %d hops", r.Target, colo.Error, len(colo.Hops))
			}
			continue
		}
		if len(colo.Hops) != 6 || colo.Hops[5].Nodes[0].IP != r.Target || colo.Hops[5].Lost != 0 || colo.Error != "" {
			t.Errorf("%s: %+v", r.Target, colo)
		}
	}
	if len(a.Messages) != 1 || a.Messages[0].Code != 1003 || !strings.HasPrefix(a.Messages[0].Message, "den01 → 0.0.0.0: ") {
		t.Errorf("messages %+v", a.Messages)
	}
}

// slow makes a daemon send one probe each 10 ms.
const slow = 100

// endless is a request that is slow to probe: 640 packets that nobody answers
// at the end.
func endless(lab *kernel.Lab) string {
	return body(lab.Target.IPv4, fmt.Sprintf(`"packet_type":"udp","port":%d,"max_ttl":64,"packets_per_ttl":10,"wait_time":5`, filteredPort))
}

// When the client goes away, the probing stops.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, chain())
	d, tap := newDaemon(t, lab, "--rate", fmt.Sprint(slow)), newTap(t, lab)

	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.address+endpointPath, strings.NewReader(endless(lab)))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		response, err := d.client.Do(req)
		if err == nil {
			response.Body.Close()
		}
		gone <- err
	}()
	tap.await(t, 20)
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("the request ended with %v", err)
	}
	d.await(t, func(e entry) bool { return e["msg"] == "request" && e["status"] == 499.0 })

	d.probesForAnother(t, tap, tap.count(t))
}

// probesForAnother makes another trace, and demands that every packet counted
// since then is one of it, but for one that may have been on its way to the
// kernel.
func (d *daemon) probesForAnother(t *testing.T, tap *tap, probed int) {
	t.Helper()
	a := d.ask(t, http.MethodPost, endpointPath, body(d.Target.IPv4, `"max_ttl":6,"packets_per_ttl":10`))
	sent := 0
	for _, h := range a.Result[0].Colos[0].Hops {
		sent += h.Sent
	}
	if n := tap.count(t) - probed; sent != 60 || n < sent || n > sent+1 {
		t.Errorf("%d packets left the host, %d were sent by the trace", n, sent)
	}
	d.healthy(t)
}

// SIGTERM lets a request finish that is being probed for, refuses new ones, and
// ends the daemon.
func TestTermination(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, chain())
	d, tap := newDaemon(t, lab, "--rate", fmt.Sprint(slow)), newTap(t, lab)

	finished := make(chan answer, 1)
	go func() {
		defer close(finished)
		options := fmt.Sprintf(`"packet_type":"udp","port":%d,"max_ttl":20,"wait_time":1`, filteredPort)
		finished <- d.ask(t, http.MethodPost, endpointPath, body(lab.Target.IPv4, options))
	}()
	tap.await(t, 5)
	d.terminate(t)
	d.awaitLog(t, "shutting down")
	if a := d.ask(t, http.MethodPost, endpointPath, body(lab.Target.IPv4, "")); a.status != http.StatusServiceUnavailable || a.Errors[0].Code != 1050 {
		t.Errorf("a further request got %d: %s", a.status, a.body)
	}

	if a := <-finished; a.status != http.StatusOK || len(a.Result[0].Colos[0].Hops) != 20 {
		t.Errorf("the request under way got %d: %s", a.status, a.body)
	}
	d.awaitLog(t, "stopped")
}

// Traces that take longer than the grace are cut. Their request is answered
// with those that were done, and says of the others that they were cut.
func TestTerminationCuts(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, chain())
	d, tap := newDaemon(t, lab, "--rate", fmt.Sprint(slow), "--shutdown-grace", "0s"), newTap(t, lab)
	answered := make(chan answer, 1)
	go func() {
		defer close(answered)
		answered <- d.ask(t, http.MethodPost, endpointPath, endless(lab))
	}()
	tap.await(t, 5)
	d.terminate(t)
	d.awaitLog(t, "requests are cut off")
	a := <-answered
	if a.status != http.StatusOK || a.Result[0].Colos[0].Error != "Could not gather traceroute data: Code 2" {
		t.Errorf("the request under way got %d: %s", a.status, a.body)
	}
	if len(a.Messages) != 1 || !strings.HasSuffix(a.Messages[0].Message, "cut short: the agent is shutting down") {
		t.Errorf("messages %+v", a.Messages)
	}
	d.awaitLog(t, "stopped")
}
