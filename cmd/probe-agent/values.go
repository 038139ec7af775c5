package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"probe-agent/api"
	"probe-agent/internal/hostaddr"
	"probe-agent/internal/rawsock"
	"probe-agent/prober"
)

// The types below are flag values. Each says in its error what it accepts; the
// flag's name, or file, line and key of a configuration file, go in front.

// maxRate bounds the rates, in packets per second. Above it the numbers mean
// nothing: no host sends that much over raw sockets.
const maxRate = 10_000_000

type (
	maxTTL        int
	packetsPerTTL int
	waitTime      int // seconds
	rounds        int // 0: without end
	interval      int // seconds
	port          int
	packetRate    int // packets per second; 0: no limit
	listenAddress string
	coloName      string
	method        prober.Method
	logFormat     string
)

func (v *maxTTL) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, prober.MaxTTLLimit)
}

func (v *packetsPerTTL) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, prober.PacketsPerTTLLimit)
}

func (v *waitTime) UnmarshalText(text []byte) error {
	return bounded((*int)(v), text, 1, int(prober.MaxWait/time.Second))
}

func (v *rounds) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, 1_000_000) }

func (v *interval) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 1, 3600) }

func (v *port) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, 65535) }

func (v *packetRate) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, maxRate) }

func bounded(into *int, text []byte, low, high int) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q is not a whole number from %d to %d", text, low, high)
	}
	*into = n
	return nil
}

func (v *listenAddress) UnmarshalText(text []byte) error {
	_, service, err := net.SplitHostPort(string(text))
	if err != nil {
		return fmt.Errorf("%q is not host:port", text)
	}
	var number int
	if bounded(&number, []byte(service), 0, 65535) != nil {
		return fmt.Errorf("%q does not end in a port from 0 to 65535", text)
	}
	*v = listenAddress(text)
	return nil
}

func (v *coloName) UnmarshalText(text []byte) error {
	*v = coloName(text)
	return api.CheckColoName(string(text))
}

func (v *method) UnmarshalText(text []byte) error {
	m, err := prober.ParseMethod(string(text))
	*v = method(m)
	return err
}

func (*method) choices() []string { return named(prober.ICMP, prober.GREICMP) }

func (v *logFormat) UnmarshalText(text []byte) error { return oneOf((*string)(v), text, v.choices()) }

func (*logFormat) choices() []string { return []string{"text", "json"} }

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

func oneOf(into *string, text []byte, words []string) error {
	if !slices.Contains(words, string(text)) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(words, ", "))
	}
	*into = string(text)
	return nil
}

// socketFlags say where probes leave from.
type socketFlags struct {
	Source    []netip.Addr `placeholder:"ADDR" help:"Address that probes leave from; at most one for each family. Without it the route decides."`
	Interface string       `placeholder:"NAME" help:"Network interface that probes leave through. Without it the route decides."`
	Mark      mark         `default:"0" placeholder:"N" help:"Mark of probes (SO_MARK), which routing rules and firewalls can match; decimal or 0x…, 0 for none (${default}). Before Linux 5.17 it needs CAP_NET_ADMIN."`
}

// mark is an SO_MARK; 0: none.
type mark uint32

func (v *mark) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("%q is not a number from 0 to 4294967295, or 0x0 to 0xffffffff", text)
	}
	*v = mark(n)
	return nil
}

// Validate refuses what cannot be a source or an interface, on this host or any.
func (f *socketFlags) Validate() error {
	options, err := f.options()
	if err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return fmt.Errorf("--source, --interface: %s", strings.TrimPrefix(err.Error(), "rawsock: "))
	}
	addrs, err := hostaddr.List()
	if err != nil {
		return nil //nolint:nilerr // whoever needs the addresses says so
	}
	if network, is := hostaddr.Broadcast(options.Source4, addrs); is {
		return fmt.Errorf("--source: %v is the broadcast address of %v", options.Source4, network)
	}
	return nil
}

// options returns what the flags say, at most one source address of each
// family.
func (f *socketFlags) options() (rawsock.Options, error) {
	options := rawsock.Options{Interface: f.Interface, Mark: uint32(f.Mark)}
	for _, addr := range f.Source {
		addr = addr.Unmap()
		family := &options.Source6
		if addr.Is4() {
			family = &options.Source4
		}
		if family.IsValid() {
			return options, fmt.Errorf("--source: %s and %s are of one family; give at most one IPv4 and one IPv6 address", *family, addr)
		}
		*family = addr
	}
	return options, nil
}
