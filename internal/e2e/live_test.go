//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "probe-agent/api/v1"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/traceroute"
)

// live is the answer to POST /v1/traces as a stream.
type live struct {
	response *http.Response
	lines    *bufio.Reader
	leave    context.CancelFunc
}

// event is one of a stream; its data is one of the types of package v1.
type event struct {
	Name string          `json:"event"`
	ID   int             `json:"id"` // in NDJSON
	Data json.RawMessage `json:"data"`
}

// Forms of a stream.
const (
	ndjson = "application/x-ndjson"
	sse    = "text/event-stream"
)

// watch asks for a stream, which ends with the test at the latest.
func (d *daemon) watch(t testing.TB, form, body string) *live {
	t.Helper()
	return d.stream(t, http.MethodPost, "/v1/traces", form, body)
}

// stream asks for a stream at that path.
func (d *daemon) stream(t testing.TB, method, path, form, body string) *live {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	t.Cleanup(leave)
	req, err := http.NewRequestWithContext(ctx, method, d.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", form)
	response, err := d.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != form {
		t.Fatalf("%s, %s", response.Status, response.Header.Get("Content-Type"))
	}
	return &live{response, bufio.NewReader(response.Body), leave}
}

// next reads one event; io.EOF when there is none.
func (l *live) next() (e event, err error) {
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case l.response.Header.Get("Content-Type") == ndjson:
			err = json.Unmarshal([]byte(line), &e)
			return e, err
		case name == "event":
			e.Name = value
		case name == "data":
			e.Data = json.RawMessage(value)
		case line == "\n" && e.Name != "":
			return e, nil
		}
	}
}

// await reads up to an event of that name and puts its data into v.
func (l *live) await(t testing.TB, name string, v any) {
	t.Helper()
	for {
		e, err := l.next()
		if err != nil {
			t.Fatalf("the stream ends without %s: %v", name, err)
		}
		if e.Name != name {
			continue
		}
		if err := json.Unmarshal(e.Data, v); err != nil {
			t.Fatalf("%v: %s", err, e.Data)
		}
		return
	}
}

// awaitHop reads up to an event that shows a node at that TTL, and returns the
// node's address.
func (l *live) awaitHop(t testing.TB, ttl int) string {
	t.Helper()
	for {
		var change v1.HopChange
		l.await(t, v1.EventHop, &change)
		if change.Hop.TTL == ttl && len(change.Hop.Nodes) > 0 {
			return change.Hop.Nodes[0].IP.String()
		}
	}
}

// endlessly is as endless is, but that it does not wait long in the end.
func endlessly(lab *kernel.Lab) string {
	return body(lab.Target.IPv4, fmt.Sprintf(`"packet_type":"udp","port":%d,"max_ttl":64,"packets_per_ttl":10,"wait_ms":1000`, filteredPort))
}

// slowly is a configuration by which such a trace takes longer than any request
// may.
const slowly = "rate: 10\n"

// liveDaemon is a daemon that probes slowly, in a lab with a silent router.
func liveDaemon(t *testing.T, options ...string) (d *daemon, tap *tap, config string) {
	t.Helper()
	topology := chain()
	topology.Routers[1].Silent = true
	lab := kerneltest.Build(t, topology)
	config = filepath.Join(t.TempDir(), "agent.yaml")
	writeFile(t, config, slowly)
	return newDaemon(t, lab, append([]string{"--config", config}, options...)...), newTap(t, lab), config
}

// A client has read of the first hop when most of the trace has not even been
// sent, and then of another one; the last events say how it ended.
func TestLive(t *testing.T) {
	t.Parallel()
	d, tap, config := liveDaemon(t)
	for _, form := range []string{ndjson, sse} {
		d.reload(t, config, slowly)
		before := tap.count(t)
		l := d.watch(t, form, endlessly(d.Lab))
		first := l.awaitHop(t, 1)
		early := tap.count(t) - before
		seen := []string{first, l.awaitHop(t, 3)}
		late := tap.count(t) - before
		// What the trace still lacks can be sent from now on only.
		d.reload(t, config, "rate: 10000\n")
		equal(t, []string{d.Routers[0].IPv4.String(), d.Routers[2].IPv4.String()}, seen)
		var done v1.Done
		l.await(t, v1.EventDone, &done)
		hops, total := done.Outcome.Trace.Hops, 0
		for _, hop := range hops {
			total += hop.Sent
		}
		if len(hops) != 64 || len(hops[1].Nodes) != 0 || hops[1].Lost != 10 {
			t.Errorf("%s: %d hops, the silent one is %+v", form, len(hops), hops[1])
		}
		if total != 640 || early > late || late >= total {
			t.Errorf("%s: %d and %d probes of %d had been sent when hops were read", form, early, late, total)
		}
		var end v1.End
		if l.await(t, v1.EventEnd, &end); end.Traced != 1 || end.Failed != 0 {
			t.Errorf("%s: end %+v", form, end)
		}
		if e, err := l.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the end: %+v, %v", form, e, err)
		}
	}
	d.healthy(t)
}

// When the client of a stream goes away, the probing stops.
func TestLiveClientGoesAway(t *testing.T) {
	t.Parallel()
	d, tap, config := liveDaemon(t)
	l := d.watch(t, ndjson, endlessly(d.Lab))
	l.awaitHop(t, 1)
	l.leave()
	d.await(t, func(e entry) bool { return e["msg"] == "request" && e["status"] == 499.0 })

	probed := tap.count(t)
	d.reload(t, config, "rate: 10000\n")
	d.probesForAnother(t, tap, probed)
}

// A stream that the end of the daemon cuts says so of its trace, and ends.
func TestLiveCut(t *testing.T) {
	t.Parallel()
	d, _, _ := liveDaemon(t, "--shutdown-grace", "0s")
	l := d.watch(t, sse, endlessly(d.Lab))
	l.awaitHop(t, 1)
	d.terminate(t)
	var done v1.Done
	l.await(t, v1.EventDone, &done)
	want := &traceroute.FailureDocument{Code: int(traceroute.TimedOut), Reason: traceroute.TimedOut.String(), Message: "cut short: the agent is shutting down"}
	if diff := cmp.Diff(want, done.Outcome.Failure); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var end v1.End
	if l.await(t, v1.EventEnd, &end); end.Traced != 0 || end.Failed != 1 {
		t.Errorf("end %+v", end)
	}
	d.awaitLog(t, "stopped")
}
