//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// Two accounts ask for traces to the addresses of one /24 and one /48, all at
// once and one of them twice as often as it may. Within any second no more
// probes than the ceiling leave for either network, by the kernel's stamps; each
// request is answered, with 200, 429 or 503; and as much is done for the one as
// for the other.
func TestPrefixCeilingOnTheWire(t *testing.T) {
	t.Parallel()
	const ceiling, allowed = 250, 25
	topology := kernel.Chain(1)
	topology.Target.Addresses = 20
	lab := kerneltest.Build(t, topology)
	greedy, modest := newToken(t, "greedy", "one"), newToken(t, "modest", "other")
	d := newDaemon(t, lab, "--token", greedy.Credential, "--token", modest.Credential,
		"--prefix-rate", fmt.Sprint(ceiling), "--request-rate", fmt.Sprint(allowed, "/1h"),
		"--max-traces", "16", "--queue-per-account", fmt.Sprint(2*allowed), "--queue-wait", "20s")
	wire := newCapture(t, lab)

	clients := map[string]*daemon{"one": d.as(greedy), "other": d.as(modest)}
	requests := map[string]int{"one": 2 * allowed, "other": allowed}
	var mu sync.Mutex
	answered := make(map[string]map[int]int) // by account and status
	var asking sync.WaitGroup
	for account, client := range clients {
		answered[account] = make(map[int]int)
		for i := range requests[account] {
			asking.Go(func() {
				four, six := lab.Targets(false), lab.Targets(true)
				body := fmt.Sprintf(`{"targets":[%q,%q],"options":{"wait_time":5}}`, four[i%len(four)], six[i%len(six)])
				a := client.ask(t, http.MethodPost, "/accounts/"+account+"/diagnostics/traceroute", body)
				mu.Lock()
				defer mu.Unlock()
				answered[account][a.status]++
			})
		}
	}
	asking.Wait()

	var done, asked float64
	for account, statuses := range answered {
		if n := statuses[http.StatusOK] + statuses[http.StatusTooManyRequests] + statuses[http.StatusServiceUnavailable]; n != requests[account] {
			t.Errorf("account %s was answered with %v, want 200, 429 and 503 only", account, statuses)
		}
		if over := requests[account] - allowed; statuses[http.StatusTooManyRequests] != over {
			t.Errorf("account %s was answered with %v, want 429 for %d", account, statuses, over)
		}
		done += float64(statuses[http.StatusOK])
		asked += allowed
	}
	if half := float64(answered["other"][http.StatusOK]); done < asked/2 || half < 0.45*done || half > 0.55*done {
		t.Errorf("the two were answered with %v, want the same for both", answered)
	}
	checkCeiling(t, wire.departures(t), ceiling, netip.MustParsePrefix("198.19.0.0/24"), netip.MustParsePrefix("2001:db8:ffff::/48"))
}

// checkCeiling demands that a ceiling of probes a second held for each of the
// networks, and that there was something to hold back.
func checkCeiling(t *testing.T, left []departure, ceiling int, networks ...netip.Prefix) {
	t.Helper()
	for _, network := range networks {
		var times []time.Time
		most, first := 0, 0
		for _, p := range left {
			if !network.Contains(p.to) {
				continue
			}
			times = append(times, p.at)
			for p.at.Sub(times[first]) >= time.Second {
				first++
			}
			most = max(most, len(times)-first)
		}
		t.Logf("%v: %d probes, at most %d within a second", network, len(times), most)
		if most > ceiling {
			t.Errorf("%v: %d probes left within a second, ceiling %d", network, most, ceiling)
		}
		if len(times) <= ceiling {
			t.Errorf("%v: %d probes in all, too few to reach a ceiling of %d for long", network, len(times), ceiling)
		}
	}
}
