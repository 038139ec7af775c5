package traceroute

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

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

// Spec is what to trace and how. The zero value of every field but Target
// stands for its default.
type Spec struct {
	Target        netip.Addr // address to probe; IPv4-mapped addresses are unmapped
	Method        Method     // default ICMP
	MaxTTL        int        // 1 to 64, default 15
	PacketsPerTTL int        // 1 to 10, default 3
	// Port is the destination port of UDP (default 33434) and TCP (default
	// 80), and the first echo sequence number of ICMP (default 1).
	Port int
	// Wait is how long the answer to one probe is waited for, counted from
	// its sending: above 0 to 5 s, default 1 s.
	Wait time.Duration
	// Family restricts the addresses of a target that is given by name; the
	// Target must be of it. Default AnyFamily.
	Family Family
}

// Complete returns the Spec with defaults filled in, or an error that names
// the field and its range.
func (s Spec) Complete() (Spec, error) {
	s.Target = s.Target.Unmap()
	if !s.Target.IsValid() {
		return s, errors.New("traceroute: target is not an address")
	}
	if s.Target.Zone() != "" {
		return s, fmt.Errorf("traceroute: target %v: addresses with a zone are not supported", s.Target)
	}
	s, err := s.WithDefaults()
	if err == nil && !s.Family.Allows(s.Target) {
		err = fmt.Errorf("traceroute: target %v is not of family %v", s.Target, s.Family)
	}
	return s, err
}

// WithDefaults is Complete for a Spec whose Target is still to be found.
func (s Spec) WithDefaults() (Spec, error) {
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
		s.Port = s.Method.defaultPort()
	}
	switch {
	case s.Family > IPv6Only:
		return s, fmt.Errorf("traceroute: invalid family %d", uint8(s.Family))
	case !s.Method.Valid():
		return s, fmt.Errorf("traceroute: invalid method %d", uint8(s.Method))
	case s.MaxTTL < 1 || s.MaxTTL > MaxTTLLimit:
		return s, fmt.Errorf("traceroute: max TTL %d is not in 1 to %d", s.MaxTTL, MaxTTLLimit)
	case s.PacketsPerTTL < 1 || s.PacketsPerTTL > PacketsPerTTLLimit:
		return s, fmt.Errorf("traceroute: %d packets per TTL are not in 1 to %d", s.PacketsPerTTL, PacketsPerTTLLimit)
	case s.Port < 0 || s.Port > 65535:
		return s, fmt.Errorf("traceroute: port %d is not in 0 to 65535", s.Port)
	case s.Wait < 0 || s.Wait > MaxWait:
		return s, fmt.Errorf("traceroute: wait %v is not above 0 and up to %v", s.Wait, MaxWait)
	}
	return s, nil
}
