package prober

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Method is what a trace probes with. GREICMP runs two traceroutes at once:
// GRE-encapsulated ICMP echo and plain ICMP echo.
type Method uint8

// The methods, named in requests by their String.
const (
	ICMP Method = iota + 1
	TCP
	UDP
	GRE
	GREICMP
)

var methodNames = [...]string{ICMP: "icmp", TCP: "tcp", UDP: "udp", GRE: "gre", GREICMP: "gre+icmp"}

// String returns the name used in requests: icmp, tcp, udp, gre or gre+icmp.
func (m Method) String() string {
	if m >= ICMP && int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("method %d", uint8(m))
}

// ParseMethod is the inverse of String. The empty name is ICMP.
func ParseMethod(name string) (Method, error) {
	if name == "" {
		return ICMP, nil
	}
	for m := ICMP; int(m) < len(methodNames); m++ {
		if methodNames[m] == name {
			return m, nil
		}
	}
	return 0, fmt.Errorf("prober: %q is not one of icmp, tcp, udp, gre, gre+icmp", name)
}

// Bounds and defaults of a Spec; those of Cloudflare's endpoint.
const (
	MaxTTLLimit        = 64 // highest MaxTTL
	PacketsPerTTLLimit = 10 // highest PacketsPerTTL
	DefaultMaxTTL      = 15
	DefaultPackets     = 3
	DefaultWait        = time.Second
	MaxWait            = 5 * time.Second
	DefaultUDPPort     = 33434 // where nothing listens, by tradition of traceroute(8)
	DefaultTCPPort     = 80
	DefaultEchoStart   = 1 // first ICMP sequence number
)

// Spec says what to trace and how. The zero value of every field but Target
// stands for its default.
type Spec struct {
	Target netip.Addr // address to probe; IPv4-mapped addresses are unmapped
	// Fallbacks are other addresses of the same host. They are tried in order
	// when the host that probes has no route to the Target, or no source
	// address for it. The Target of the Result's Spec is the address traced.
	Fallbacks     []netip.Addr
	Method        Method // default ICMP
	MaxTTL        int    // 1 to 64, default 15
	PacketsPerTTL int    // 1 to 10, default 3
	// Port is the destination port of UDP (default 33434) and TCP (default
	// 80), and the first echo sequence number of ICMP (default 1).
	Port int
	// Wait is how long the answer to one probe is waited for, counted from
	// its sending: above 0 to 5 s, default 1 s.
	Wait time.Duration
	// Family is what Target must be of. It is for whoever finds the Target by
	// a name; default AnyFamily.
	Family Family
	// Progress, when set, is called from the goroutine that called Trace with
	// the result so far, whenever something changed, at most every 50 ms. It
	// must not keep the Result.
	Progress func(*Result)
	// Heard, when set, is called from the goroutine that called Trace with the
	// address of each answer at a TTL that no earlier answer at that TTL came
	// from, soon after it arrived: names can be looked up while the trace runs.
	// The TTL is 0 when it is still to be inferred, as for UDP answers.
	Heard func(from netip.Addr, ttl uint8)
}

// complete returns the Spec with defaults filled in, or an error that names
// the field and its range.
func (s Spec) complete() (Spec, error) {
	s.Target = s.Target.Unmap()
	if s.Method == 0 {
		s.Method = ICMP
	}
	if s.MaxTTL == 0 {
		s.MaxTTL = DefaultMaxTTL
	}
	if s.PacketsPerTTL == 0 {
		s.PacketsPerTTL = DefaultPackets
	}
	if s.Wait == 0 {
		s.Wait = DefaultWait
	}
	if s.Port == 0 {
		s.Port = map[Method]int{UDP: DefaultUDPPort, TCP: DefaultTCPPort}[s.Method]
	}
	if s.Port == 0 {
		s.Port = DefaultEchoStart
	}
	switch {
	case !s.Target.IsValid():
		return s, errors.New("prober: target is not an address")
	case s.Target.Zone() != "":
		return s, fmt.Errorf("prober: target %v: addresses with a zone are not supported", s.Target)
	case s.Family > IPv6Only:
		return s, fmt.Errorf("prober: %v is no family", s.Family)
	case !s.Family.Allows(s.Target):
		return s, fmt.Errorf("prober: target %v is not of family %v", s.Target, s.Family)
	case s.Method > GREICMP:
		return s, fmt.Errorf("prober: %v is no method", s.Method)
	case s.MaxTTL < 1 || s.MaxTTL > MaxTTLLimit:
		return s, fmt.Errorf("prober: max TTL %d is not in 1 to %d", s.MaxTTL, MaxTTLLimit)
	case s.PacketsPerTTL < 1 || s.PacketsPerTTL > PacketsPerTTLLimit:
		return s, fmt.Errorf("prober: %d packets per TTL are not in 1 to %d", s.PacketsPerTTL, PacketsPerTTLLimit)
	case s.Port < 0 || s.Port > 65535:
		return s, fmt.Errorf("prober: port %d is not in 0 to 65535", s.Port)
	case s.Wait < 0 || s.Wait > MaxWait:
		return s, fmt.Errorf("prober: wait %v is not above 0 and up to %v", s.Wait, MaxWait)
	}
	return s, nil
}
