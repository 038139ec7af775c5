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
