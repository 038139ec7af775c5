package main

import (
	"fmt"
	"strconv"
	"time"

	"probe-agent/traceroute"
)

// The types below are flag values. Each says in its error what it accepts; the
// flag's name, or file, line and key of a configuration file, go in front.

type (
	maxTTL        int
	packetsPerTTL int
	waitTime      int // seconds
	rounds        int // 0: without end
	interval      int // seconds
	port          int
	method        traceroute.Method
)

func (v *maxTTL) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, traceroute.MaxTTLLimit)
}

func (v *packetsPerTTL) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, traceroute.PacketsPerTTLLimit)
}

func (v *waitTime) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, int(traceroute.MaxWait/time.Second))
}

func (v *rounds) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, 1_000_000) }

func (v *interval) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 1, 3600) }

func (v *port) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, 65535) }

func bounded(into *int, text []byte, low, high int) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q is not a whole number from %d to %d", text, low, high)
	}
	*into = n
	return nil
}

func (v *method) UnmarshalText(text []byte) error {
	m, err := traceroute.ParseMethod(string(text))
	*v = method(m)
	return err
}

func (*method) Choices() []string { return named(traceroute.ICMP, traceroute.GREICMP) }

// named returns the names of the values from first to last.
func named[T interface {
	~uint8
	fmt.Stringer
}](first, last T) []string {
	var names []string
	for v := first; v <= last; v++ {
		names = append(names, v.String())
	}
	return names
}
