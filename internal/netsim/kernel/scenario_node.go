//go:build linux

package kernel

import (
	"cmp"
	"slices"

	"probe-agent/internal/netsim"
)

// node translates what a router does.
func (c *staging) node(h *netsim.Hop) Router {
	c.plain(&h.Node, "Addresses", "Delay", "Loss", "ReplyLoss", "ReturnLoss", "Silent", "RateLimit", "Reject", "ReplyTTL")
	r := Router{Silent: h.Silent, ReplyTTL: h.ReplyTTL}
	if h.TTLZero || h.Middlebox != nil {
		c.refuse("no kernel forwards a TTL of zero, or answers for the target")
	}
	c.mtu(h, &r)
	c.losses(h, &r)
	c.limit(h, &r)
	c.rejects(h, &r)
	switch {
	case h.Loop == 0:
	case h.Loop == 2 && r.fates() == 0:
		r.Route = Back
	default:
		c.refuse("a loop of %d routers", h.Loop)
	}
	switch {
	case h.Rewrite == nil:
	case h.Rewrite.Restore && hasOnly(*h.Rewrite, "Source", "SourcePort", "Restore"):
		r.NAT = true
	default:
		c.refuse("what is rewritten is not what a NAT rewrites")
	}
	return r
}

func (c *staging) mtu(h *netsim.Hop, r *Router) {
	r.MTU = h.MTU
	if h.MTU > 0 && h.MTU < minIPv6MTU && c.family != netsim.IPv4 {
		c.refuse("no IPv6 link is as narrow as %d", h.MTU)
	}
}

// losses translates what is lost for certain.
func (c *staging) losses(h *netsim.Hop, r *Router) {
	everything := netsim.Loss{Chance: 1}
	switch {
	case hasOnly(h.Loss):
	case h.Loss.Chance == everything.Chance && hasOnly(h.Loss, "Chance"):
		r.Route = Discard
	default:
		c.refuse("some packets lost on a link")
	}
	switch {
	case hasOnly(h.ReturnLoss):
	case h.ReturnLoss.Chance == everything.Chance && hasOnly(h.ReturnLoss, "Chance"):
		r.NoReturn = true
	default:
		c.refuse("some packets lost on a link")
	}
	if h.ReplyLoss.Chance > 0 {
		c.refuse("answers lost at random")
	}
	r.DropNth = slices.Clone(h.ReplyLoss.Nth)
	r.DropEach = h.ReplyLoss.Every
	if r.DropEach > 0 && len(r.DropNth) > 0 {
		c.refuse("answers that two counts pick")
	}
	c.Counting = c.Counting || len(r.DropNth) > 0 || r.DropEach > 0
}

func (c *staging) limit(h *netsim.Hop, r *Router) {
	if h.RateLimit == nil {
		return
	}
	r.Limit = &Limit{PerSecond: int(h.RateLimit.Rate), Burst: h.RateLimit.Burst}
	if float64(r.Limit.PerSecond) != h.RateLimit.Rate {
		c.refuse("a fraction of an answer per second")
	}
	c.Counting = true
}

func (c *staging) rejects(h *netsim.Hop, r *Router) {
	if len(h.Reject) == 0 {
		return
	}
	r.Reject = c.reject(&h.Reject[0])
	switch {
	case len(h.Reject) > 1 || r.Route != Onward:
		c.refuse("more than one way to refuse a packet")
	case h.Reject[0].When == netsim.Expired:
		c.refuse("a router that refuses what ends there, and forwards the rest")
	}
	r.Reject.Early = h.Reject[0].When == netsim.All
}

func (c *staging) reject(r *netsim.Reject) *Reject {
	switch {
	case r.Kind != netsim.Unreachable && r.Kind != netsim.Drop:
		c.refuse("no firewall answers with other errors than unreachable")
	case !hasOnly(*r, "Kind", "When", "Protocols", "Code", "Code6"):
		c.refuse("a refusal in another name, or with an MTU")
	}
	code6 := r.Code
	if r.Code6 != nil {
		code6 = *r.Code6
	}
	return &Reject{IPv4: r.Code, IPv6: code6, Silent: r.Kind == netsim.Drop, Protocols: r.Protocols}
}

// Ports that a probe goes to when its trace names none.
const (
	defaultTCPPort = 80
	defaultUDPPort = 33434
)

// target translates the target, with as many ports as the scenario's traces
// go to.
func (c *staging) target(s *netsim.Scenario) {
	t := &s.Target
	c.plain(&t.Node, "Addresses", "Delay", "Silent", "Reject")
	place := len(c.Routers)
	for _, before := range c.ends {
		c.Routers[before].Next = append(c.Routers[before].Next, place)
	}
	for _, addr := range s.Addresses() {
		c.name(netsim.AddressOf(addr), place)
	}
	if len(t.Also) > 0 || !t.From.IsZero() {
		c.refuse("a target with several addresses")
	}
	c.Target = Target{
		Silent: t.Silent,
		NoEcho: t.ICMP == netsim.EchoSilent,
		NoGRE:  t.GRE.State == netsim.Mute,
	}
	if t.GRE.State != netsim.Absent && t.GRE.State != netsim.Mute {
		c.refuse("GRE is a module that not every kernel has")
	}
	switch len(t.Reject) {
	case 0:
	case 1:
		reject := t.Reject[0]
		c.elsewhere, reject.From = reject.From, netsim.Address{}
		c.Target.Elsewhere = !c.elsewhere.IsZero()
		c.Target.Reject = c.reject(&reject)
	default:
		c.refuse("more than one way to refuse a packet")
	}
	for _, e := range s.Expect {
		c.tcpPort(t, uint16(cmp.Or(e.Port, defaultTCPPort)))
		c.udpPort(t, uint16(cmp.Or(e.Port, defaultUDPPort)))
	}
}

func (c *staging) tcpPort(t *netsim.Target, port uint16) {
	state := t.TCP.State(port)
	switch {
	case t.TCP.BareReset || state == netsim.Tarpit:
		c.refuse("no kernel answers TCP in that way")
	case state == netsim.Open:
		c.Target.TCPOpen = with(c.Target.TCPOpen, port)
	case state == netsim.Filtered:
		c.Target.TCPFiltered = with(c.Target.TCPFiltered, port)
	}
}

func (c *staging) udpPort(t *netsim.Target, port uint16) {
	switch t.UDP.State(port) {
	case netsim.Open:
		if t.UDP.Answer != nil {
			c.refuse("the service at the target repeats what it gets")
		}
		c.Target.UDPEcho = with(c.Target.UDPEcho, port)
	case netsim.Filtered:
		c.Target.UDPFiltered = with(c.Target.UDPFiltered, port)
	}
}

func with(ports []uint16, port uint16) []uint16 {
	if slices.Contains(ports, port) {
		return ports
	}
	return append(ports, port)
}
