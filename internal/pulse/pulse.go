// Package pulse tells whether an engine still works: whether it sends, and
// whether what comes back reaches it.
package pulse

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"probe-agent/prober"
	"probe-agent/traceroute"
)

// Engine is the engine that is felt; *prober.Engine is one.
type Engine interface {
	Trace(ctx context.Context, spec traceroute.Spec, feed prober.Feed) (*traceroute.Result, error)
	Totals() prober.Totals
}

// Pulse feels an engine.
type Pulse struct {
	engine Engine

	mu       sync.Mutex
	last     prober.Totals
	answered bool // loopback has answered before
}

// New returns a Pulse.
func New(e Engine) *Pulse { return &Pulse{engine: e} }

// Check returns nil when the engine works. An engine that has sent and matched
// since the last check does. One that was idle is made to send one ICMP probe
// to a loopback address: the trace must end in time, and once loopback has
// answered, as it does unless the host's firewall or sysctls keep it from that,
// it must go on to. It waits until ctx ends at most.
func (p *Pulse) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy() {
		return nil
	}
	var errs []error
	for _, loopback := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		result, err := p.engine.Trace(ctx, traceroute.Spec{
			Target: loopback, Method: traceroute.ICMP, MaxTTL: 1, PacketsPerTTL: 1, Wait: time.Second,
		}, prober.Feed{})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if result.Stop == traceroute.Reached {
			p.answered = true
			return nil
		}
		if !p.answered {
			return nil
		}
		errs = append(errs, fmt.Errorf("%v does not answer any more", loopback))
	}
	if p.busy() { // an engine that has much to do makes the probe wait
		return nil
	}
	return fmt.Errorf("pulse: %w", errors.Join(errs...))
}

// busy reports whether probes were sent and answered since it was last called.
func (p *Pulse) busy() bool {
	now := p.engine.Totals()
	worked := now.Sent > p.last.Sent && now.Matched > p.last.Matched
	p.last = now
	return worked
}
