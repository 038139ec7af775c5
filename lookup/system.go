package lookup

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// systemTimeout bounds a lookup by the host's resolver, which has patience of
// its own: 5 s for one try (resolv.conf(5)).
const systemTimeout = 5 * time.Second

// systemResolver returns the host's resolver. That of net waits out its own
// timeout when it speaks DNS itself and a context ends; this one lets go of the
// connection.
func systemResolver() *net.Resolver {
	var dialer net.Dialer
	return &net.Resolver{Dial: closedByContext(dialer.DialContext)}
}

// closedByContext dials connections that end with the context of the dial, which
// for net's resolver is that of one exchange.
func closedByContext(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() }) // twice does no harm
		}
		return conn, err
	}
}

// systemNames asks the host's resolver; lookupAddr is that of a net.Resolver.
type systemNames struct {
	lookupAddr func(ctx context.Context, addr string) ([]string, error)
}

func (s systemNames) nameOf(ctx context.Context, addr netip.Addr) answer[string] {
	ctx, cancel := context.WithTimeout(ctx, systemTimeout)
	defer cancel()
	names, err := s.lookupAddr(ctx, addr.String())
	if problem, ok := errors.AsType[*net.DNSError](err); ok {
		switch {
		case problem.IsNotFound:
			return noAnswer[string](absent, SystemTTL)
		case problem.IsTimeout:
			return failedAnswer[string](context.DeadlineExceeded)
		}
	}
	if name, ok := chooseName(names); ok { // the rest may have been an error
		return foundAnswer(name, SystemTTL)
	}
	if err != nil {
		return failedAnswer[string](err)
	}
	if len(names) == 0 {
		return noAnswer[string](absent, SystemTTL)
	}
	return noAnswer[string](refused, SystemTTL)
}
