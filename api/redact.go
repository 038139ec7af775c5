package api

import "probe-agent/traceroute"

// RedactHops hides who answers within the first hops, in traces that start
// from now on; 0 hides nothing. Nothing that leaves Trace tells them, neither
// the Result nor what Spec.Progress and Spec.Heard are called with; see
// traceroute.Redact.
func (l *Local) RedactHops(hops int) {
	l.redact.Store(int32(min(max(hops, 0), traceroute.MaxTTLLimit)))
}
