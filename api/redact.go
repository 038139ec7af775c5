package api

import (
	"net/netip"

	"probe-agent/prober"
)

// RedactHops hides who answers within the first hops, in traces that start
// from now on; 0 hides nothing. Nothing that leaves Trace tells them, neither
// the Result nor what Spec.Progress and Spec.Heard are called with; see
// prober.Redact.
func (l *Local) RedactHops(hops int) {
	l.redact.Store(int32(min(max(hops, 0), prober.MaxTTLLimit)))
}

// discreet returns spec with functions that are not told who is within the
// first hops.
func discreet(spec prober.Spec, hops int) prober.Spec {
	if hops == 0 {
		return spec
	}
	if progress := spec.Progress; progress != nil {
		spec.Progress = func(r *prober.Result) { progress(prober.Redact(r, hops)) }
	}
	if heard := spec.Heard; heard != nil {
		within := make(map[netip.Addr]bool)
		target := spec.Target
		spec.Heard = func(from netip.Addr, ttl uint8) {
			within[from] = within[from] || int(ttl) <= hops
			if !within[from] || from == target {
				heard(from, ttl)
			}
		}
	}
	return spec
}
