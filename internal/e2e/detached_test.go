//go:build linux

package e2e

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	v1 "probe-agent/api/v1"
)

// detach asks for traces that go on without the connection, and returns where
// they are.
func (d *daemon) detach(t testing.TB, body string) (location string) {
	t.Helper()
	status, header, text := d.native(t, http.MethodPost, "/v1/traces", body)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	return header.Get("Location")
}

// native sends a request of the native API, which prefers not to wait.
func (d *daemon) native(t testing.TB, method, path, body string) (status int, header http.Header, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, d.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Prefer", "respond-async")
	response, err := d.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(answer)
}

// A detached trace goes on when nobody follows, a reader that comes back misses
// nothing, and the daemon waits for its end.
func TestDetached(t *testing.T) {
	t.Parallel()
	d, _, config := liveDaemon(t)
	location := d.detach(t, endlessly(d.Lab))
	first := d.stream(t, http.MethodGet, location+"/events", ndjson, "")
	var id int
	for {
		e, err := first.next()
		if err != nil {
			t.Fatal(err)
		}
		if id = e.ID; e.Name == v1.EventHop {
			break
		}
	}
	first.leave()
	again := d.stream(t, http.MethodGet, location+"/events?after="+strconv.Itoa(id), ndjson, "")
	if e, err := again.next(); err != nil || e.ID <= id || e.Name != v1.EventHop {
		t.Errorf("after event %d: %+v, %v", id, e, err)
	}
	d.reload(t, config, "rate: 10000\n")
	d.terminate(t)
	var done v1.Done
	if again.await(t, v1.EventDone, &done); done.Outcome.Trace == nil || len(done.Outcome.Trace.Hops) != 64 {
		t.Errorf("%+v", done.Outcome.Failure)
	}
	var end v1.End
	if again.await(t, v1.EventEnd, &end); end.Traced != 1 {
		t.Errorf("end %+v", end)
	}
	d.awaitLog(t, "stopped")
}

// A detached trace that is cancelled is probed no more.
func TestDetachedIsCancelled(t *testing.T) {
	t.Parallel()
	d, tap, config := liveDaemon(t)
	location := d.detach(t, endlessly(d.Lab))
	d.stream(t, http.MethodGet, location+"/events", sse, "").awaitHop(t, 1)
	if status, _, text := d.native(t, http.MethodDelete, location, ""); status != http.StatusOK || !strings.Contains(text, `"state":"cancelled"`) {
		t.Errorf("%d %s", status, text)
	}
	probed := tap.count(t)
	d.reload(t, config, "rate: 10000\n")
	d.probesForAnother(t, tap, probed)
}
