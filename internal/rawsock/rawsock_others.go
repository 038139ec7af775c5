//go:build !linux

package rawsock

import (
	"errors"

	"probe-agent/packet"
)

// errPlatform is returned by everything on systems other than Linux.
var errPlatform = errors.New("rawsock: raw sockets are implemented for Linux only")

// Transport cannot be opened on this system.
type Transport struct{}

// Open fails: see errors.ErrUnsupported.
func Open(Options) (*Transport, error) { return nil, errors.Join(errPlatform, errors.ErrUnsupported) }

// Routes fails.
func (*Transport) Routes([]packet.RouteQuery, []packet.Route) error { return errPlatform }

// Supports says that nothing is.
func (*Transport) Supports(packet.Type, bool) error { return errPlatform }

// Senders returns none.
func (*Transport) Senders() []packet.Sender { return nil }

// Stamps returns none.
func (*Transport) Stamps([]packet.Stamp) int { return 0 }

// Receivers returns none.
func (*Transport) Receivers() []packet.Receiver { return nil }

// Ports returns none.
func (*Transport) Ports() []uint16 { return nil }

// Status says that neither family works.
func (*Transport) Status() Status {
	return Status{IPv4: errPlatform, IPv6: errPlatform, StampMode: stampNone.String()}
}

// Close does nothing.
func (*Transport) Close() error { return nil }
