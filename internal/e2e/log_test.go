//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// Nobody waits for whoever reads the log: requests are answered when more has
// been logged than a pipe takes, and all of it is there for a reader who comes
// late.
func TestDaemonLogUnread(t *testing.T) {
	t.Parallel()
	const pipe, requests = 64 << 10, 500 // bytes that Linux keeps for a reader (pipe(7))
	d := newDaemon(t, kerneltest.Build(t, kernel.Chain(1)))
	d.persistent(t)
	for i := range requests {
		if a := d.ask(t, http.MethodPost, endpointPath, fmt.Sprintf(`{"targets":[],"padding":%d}`, i)); a.status != http.StatusBadRequest {
			t.Fatalf("request %d: %d %s", i, a.status, a.body)
		}
	}
	d.terminate(t)
	logged, size := 0, 0
	for d.log.Scan() {
		size += len(d.log.Bytes())
		logged++
	}
	if logged < requests || size <= pipe {
		t.Errorf("%d entries of %d bytes together, want %d and more than a pipe takes", logged, size, requests)
	}
}
