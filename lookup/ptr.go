package lookup

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// ptrNames asks name servers.
type ptrNames struct {
	client   *client
	patience patience
}

// nameOf asks for the PTR records of addr, private and loopback addresses too:
// networks name their own.
func (p ptrNames) nameOf(ctx context.Context, addr netip.Addr) answer[string] {
	r, err := p.client.ask(ctx, reverseName(addr), dns.TypePTR, p.patience)
	if err != nil {
		return failedAnswer[string](err)
	}
	if r.empty() {
		return noAnswer[string](absent, r.ttl)
	}
	name, ok := chooseName(r.names())
	if !ok {
		return noAnswer[string](refused, r.ttl)
	}
	return foundAnswer(name, r.ttl)
}

// chooseName returns the alphabetically first of names that are host names, so
// that the name of an address that has several stays the same while name
// servers rotate them.
func chooseName(names []string) (string, bool) {
	var chosen string
	for _, name := range names {
		name = strings.TrimSuffix(name, ".")
		if IsHostname(name) && (chosen == "" || name < chosen) {
			chosen = name
		}
	}
	return chosen, chosen != ""
}
