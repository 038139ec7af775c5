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

// Lanes returns 0.
func (*Transport) Lanes() int { return 0 }

// Send fails.
func (*Transport) Send(int, []packet.Outgoing) (int, error) { return 0, errPlatform }

// Stamps returns none.
func (*Transport) Stamps([]packet.Stamp) int { return 0 }

// Queues returns 0.
func (*Transport) Queues() int { return 0 }

// Receive fails.
func (*Transport) Receive(int, []packet.Incoming) (int, error) { return 0, errPlatform }

// Behind says no.
func (*Transport) Behind(int) bool { return false }

// Ports returns none.
func (*Transport) Ports() []uint16 { return nil }

// Status says that neither family works.
func (*Transport) Status() Status {
	return Status{IPv4: errPlatform, IPv6: errPlatform, StampMode: stampNone.String()}
}

// Close does nothing.
func (*Transport) Close() error { return nil }
