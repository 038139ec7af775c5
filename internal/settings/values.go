package settings

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"probe-agent/service"
)

// The values of flags have types that read them. Each says in its error what it
// accepts; the flag's name, or file, line and key of a configuration file, go in
// front.

// Chooser is a flag's value that is one of a few words.
type Chooser interface{ Choices() []string }

// maxRate bounds the rates, in packets per second. Above it the numbers mean
// nothing: no host sends that much over raw sockets.
const maxRate = 10_000_000

type (
	packetRate    int // packets per second; 0: no limit
	listenAddress string
	coloName      string
)

func (v *packetRate) UnmarshalText(text []byte) error { return bounded((*int)(v), text, 0, maxRate) }

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
	return service.CheckColoName(string(text))
}

func bounded(into *int, text []byte, low, high int) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q is not a whole number from %d to %d", text, low, high)
	}
	*into = n
	return nil
}

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
