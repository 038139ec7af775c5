package main

import (
	"errors"

	"probe-agent/internal/rawsock"
	"probe-agent/internal/sandbox"
	"probe-agent/prober"
)

// openTransport opens the raw sockets. The error matches
// rawsock.ErrPrivilege when the process may not.
func openTransport(f socketFlags) (*rawsock.Transport, error) {
	options, err := f.options()
	if err != nil {
		return nil, err
	}
	if err := sandbox.RaiseNetRaw(); err != nil {
		return nil, err
	}
	return rawsock.Open(options)
}

// openEngine opens the raw sockets and starts an engine on them. The function
// that comes with it tells the state of the sockets at any time.
func openEngine(f socketFlags, rates prober.Options) (*prober.Engine, func() rawsock.Status, error) {
	transport, err := openTransport(f)
	if err != nil {
		return nil, nil, err
	}
	e, err := prober.New(transport, rates)
	if err != nil {
		return nil, nil, errors.Join(err, transport.Close())
	}
	return e, transport.Status, nil
}
