package agent

import (
	"errors"

	"probe-agent/internal/rawsock"
	"probe-agent/internal/sandbox"
	"probe-agent/prober"
)

// OpenSockets opens the raw sockets. The error matches rawsock.ErrPrivilege when
// the process may not.
func OpenSockets(options rawsock.Options) (*rawsock.Transport, error) {
	if err := sandbox.RaiseNetRaw(); err != nil {
		return nil, err
	}
	return rawsock.Open(options)
}

// OpenEngine opens the raw sockets and starts an engine on them. The function
// that comes with it returns the state of the sockets at any time.
func OpenEngine(options rawsock.Options, rates prober.Options) (*prober.Engine, func() rawsock.Status, error) {
	transport, err := OpenSockets(options)
	if err != nil {
		return nil, nil, err
	}
	e, err := prober.New(transport, rates)
	if err != nil {
		return nil, nil, errors.Join(err, transport.Close())
	}
	return e, transport.Status, nil
}
