package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Preset is what holds for addresses that no list says anything about.
type Preset uint8

const (
	// Internal lets everything be probed that can be the address of a host.
	Internal Preset = iota
	// Public refuses the special-purpose ranges that are not globally
	// reachable, and the addresses of the host itself.
	Public
)

// String returns internal or public.
func (p Preset) String() string {
	switch p {
	case Internal:
		return "internal"
	case Public:
		return "public"
	}
	return fmt.Sprintf("preset %d", uint8(p))
}

// Rules are what a Policy goes by. Prefixes are as ParsePrefix returns them.
type Rules struct {
	Preset Preset
	// Allow and Deny are the operator's lists. Of all their prefixes that hold
	// an address the longest decides; Deny, when both have it. An address that
	// is allowed is spared those of the preset's ranges that are not narrower
	// than the prefix that allows it, and so a range of the preset stays refused
	// when everything is allowed.
	Allow, Deny []netip.Prefix
	// DoNotProbe lists those who do not want to be probed, one set for each
	// list. Nothing overrides it.
	DoNotProbe []*Set
}

var (
	errNoHost = errors.New("is not the address of a host")
	errListed = errors.New("is not to be probed from here")
)

// rules are Rules made ready to be asked. They are not changed any more. The
// zero value is that of Rules.
type rules struct {
	doNotProbe []*Set
	lists      bart.Table[bool] // whether the prefix is allowed
	preset     Preset
	special    bart.Table[special] // of Public
}

func compile(from Rules) *rules {
	r := &rules{preset: from.Preset, doNotProbe: slices.Clone(from.DoNotProbe)}
	for _, prefix := range from.Allow {
		r.lists.Insert(prefix, true)
	}
	for _, prefix := range from.Deny { // after Allow, which it overrides
		r.lists.Insert(prefix, false)
	}
	if from.Preset == Public {
		for _, s := range registry() {
			r.special.Insert(netip.MustParsePrefix(s.prefix), s)
		}
	}
	return r
}

// judge is Check of one address, whatever is embedded in it.
func (r *rules) judge(addr netip.Addr, h *host) error {
	if !oneHost(addr) {
		return errNoHost
	}
	// Which addresses are broadcast, and which are the host's own, tells how
	// the network is laid out: the words are those of a list.
	if h.isBroadcast(addr) || slices.ContainsFunc(r.doNotProbe, func(s *Set) bool { return s.Contains(addr) }) {
		return errListed
	}
	allowedBits, allowed, listed := longest(&r.lists, addr)
	if listed && !allowed {
		return errListed
	}
	if r.preset != Public {
		return nil
	}
	if h.isOwn(addr) && allowedBits < addr.BitLen() {
		return errListed
	}
	if bits, s, ok := longest(&r.special, addr); ok && !s.global && allowedBits < bits {
		return fmt.Errorf("is in a special-purpose range: %s (%s)", s.purpose, s.rfc)
	}
	return nil
}

// longest returns the longest prefix of t that holds addr: its length, -1 when
// there is none, and what t says of it.
func longest[V any](t *bart.Table[V], addr netip.Addr) (bits int, v V, ok bool) {
	prefix, v, ok := t.LookupPrefixLPM(netip.PrefixFrom(addr, addr.BitLen()))
	if !ok {
		return -1, v, false
	}
	return prefix.Bits(), v, true
}
