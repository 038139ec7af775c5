package colo

import (
	"net/netip"

	"probe-agent/prober"
	"probe-agent/traceroute"
)

// redaction hides the first hops in what a trace reports while it runs.
type redaction struct {
	target   netip.Addr
	redactor *traceroute.Redactor                           // of updates
	seen     *traceroute.Redactor                           // of responders, whose TTL may still be unknown
	latest   [traceroute.MaxTTLLimit + 1][]traceroute.Probe // by TTL, as they are
	hidden   [traceroute.MaxTTLLimit + 1]int                // answers of latest without a responder, as reported
}

func newRedaction(target netip.Addr, hops int) *redaction {
	return &redaction{
		target: target, redactor: traceroute.NewRedactor(target, netip.Addr{}, hops), seen: traceroute.NewRedactor(target, netip.Addr{}, hops),
	}
}

// hides reports whether a responder is to be hidden.
func (d *redaction) hides(r traceroute.Responder) bool { return d != nil && d.seen.Hides(r) }

// apply calls report with the probes of each TTL that has changed, redacted. A
// TTL whose responder has just shown itself within the hidden hops as well
// has changed by that.
func (d *redaction) apply(u prober.Update, report func(ttl uint8, probes []traceroute.Probe)) {
	d.redactor.Probes(u.Probes) // it learns who is hidden before anything is reported
	var changed [traceroute.MaxTTLLimit + 1]bool
	probes := u.Probes
	for _, ttl := range u.TTLs {
		changed[ttl] = true
		d.latest[ttl], probes = cutTTL(probes, ttl)
	}
	for ttl := range d.latest {
		redacted := d.redactor.Probes(d.latest[ttl])
		hidden := 0
		for i := range redacted {
			if a := redacted[i].Answer; a != nil && !a.From.IsValid() {
				hidden++
			}
		}
		if changed[ttl] || hidden != d.hidden[ttl] {
			d.hidden[ttl] = hidden
			report(uint8(ttl), redacted)
		}
	}
}
