package policy

import (
	"fmt"
	"net/netip"
	"sync/atomic"
)

// Policy decides by rules that can be replaced while it is asked. Its zero
// value has the Internal preset and no lists. It must not be copied, and is
// safe for concurrent use.
type Policy struct {
	rules atomic.Pointer[rules]
	host  atomic.Pointer[host]
}

// Replace puts rules in force. A Check that runs at the same time goes by the
// old or by the new ones, never by some of each.
func (p *Policy) Replace(r Rules) { p.rules.Store(compile(r)) }

// SetHost tells which addresses the host has, each with the length of its
// network. They replace those told before.
func (p *Policy) SetHost(addrs []netip.Prefix) { p.host.Store(hostOf(addrs)) }

// Check returns nil when addr may be probed. The error completes a sentence
// that starts with the address. It is fit for whoever asked: it tells neither
// the address nor what is on which list.
//
// An IPv4-mapped address is its IPv4 address. Any other IPv6 address that leads
// to an IPv4 address (see embedded) is refused when that is.
func (p *Policy) Check(addr netip.Addr) error {
	r, h := p.rules.Load(), p.host.Load()
	if r == nil {
		r = &rules{}
	}
	if !addr.IsValid() || addr.Zone() != "" {
		return errNoHost
	}
	addr = addr.Unmap()
	if err := r.judge(addr, h); err != nil {
		return err
	}
	var room [maxEmbedded]netip.Addr
	for _, inner := range appendEmbedded(room[:0], addr) {
		if err := r.judge(inner, h); err != nil {
			return fmt.Errorf("holds an IPv4 address that %w", err)
		}
	}
	return nil
}
