package traceroute

import (
	"net/netip"
	"time"
)

// Result is all that a trace learned: every probe, answered or not. Every
// output format is a rendering of it.
type Result struct {
	Spec     Spec       // with every default filled in
	Source   netip.Addr // that probes left from; the zero Addr when hidden by Redact
	Started  time.Time
	Duration time.Duration
	// Probes holds what was sent, by TTL, then flow; for GREICMP the
	// encapsulated ones of a TTL first. Probes that were sent beyond the end
	// of their flow's path are not in it, but in Counts.Beyond.
	Probes []Probe
	Stop   Stop
	Counts Counts
	// Limited lists the TTLs whose loss looks like a limit on the ICMP errors
	// that a router or the target sends, and not like loss on the path.
	Limited []uint8
}

// Stop is why a trace ended.
type Stop uint8

// Why a trace ended.
const (
	Running   Stop = iota // it has not ended
	Reached               // a probe reached the target
	Blocked               // an unreachable answer ended the path
	Exhausted             // max TTL reached without either
)

var stopNames = []string{Running: "running", Reached: "reached", Blocked: "blocked", Exhausted: "exhausted"}

// String returns running, reached, blocked or exhausted.
func (s Stop) String() string { return nameOf(stopNames, "stop", s) }

// ParseStop is the inverse of String.
func ParseStop(name string) (Stop, error) { return parseName[Stop](stopNames, "stop", name) }

// Counts are packets that a trace's Probes do not show.
type Counts struct {
	Beyond     int // sent past the end of the path, before the end was known
	Duplicates int // further answers to an answered probe
	Late       int // answers after their probe's wait had ended
	Forged     int // named a probe of this trace but failed verification
	// Retried are probes of a TCP trace that were sent again, with equal
	// sequence numbers, because nothing answered their TTL. Probes has one of
	// them instead of the first when it was answered.
	Retried int
}

// Probe is one packet sent and what came of it.
type Probe struct {
	TTL  uint8
	Flow uint16 // 0-based; packets of one flow see one path
	// Encapsulated marks the GRE half of a GREICMP trace.
	Encapsulated bool
	Sent         time.Duration // since Result.Started
	Answer       *Answer       // nil: no answer in time
}

// Answer is the first valid reply to a probe.
type Answer struct {
	From  netip.Addr    // the zero Addr when hidden by Redact
	RTT   time.Duration // never negative
	Clock Clock
	Kind  Kind
	Code  uint8 // of an ICMP error
	// Arrival: the probe reached the target. From is another address than the
	// target's if that refused a UDP probe from another of its addresses.
	Arrival   bool
	TTL       uint8  // of the reply on arrival here; 0 when unknown
	QuotedTTL uint8  // of the probe as the answering node saw it; ICMP errors only
	QuotedTOS uint8  // likewise
	MTU       uint32 // fragmentation needed and packet too big; 0 when not given
	// Extensions is nil when the answer carried none.
	Extensions *Extensions
}

// OfTarget reports whether the target answered: by an arrival, or by an ICMP
// error other than the expiry of a TTL from its own address.
func (a *Answer) OfTarget(target netip.Addr) bool {
	return a.Arrival || a.From == target && a.Kind.EndsPath(a.Code)
}

// Clock is how an RTT was measured.
type Clock uint8

// From best to worst: both ends stamped by the kernel; only the receipt; both
// in this process, by the monotonic clock.
const (
	KernelClock Clock = iota
	KernelReceiveClock
	UserClock
	Clocks // how many there are
)

var clockNames = []string{KernelClock: "kernel", KernelReceiveClock: "kernel-receive", UserClock: "user"}

// String returns kernel, kernel-receive or user.
func (c Clock) String() string { return nameOf(clockNames, "clock", c) }

// ParseClock is the inverse of String.
func ParseClock(name string) (Clock, error) { return parseName[Clock](clockNames, "clock", name) }
