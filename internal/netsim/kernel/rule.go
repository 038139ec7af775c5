//go:build linux

package kernel

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim"
)

// rules gathers the nftables of one family in one namespace.
type rules struct {
	conn   *nftables.Conn
	ipv6   bool
	table  *nftables.Table
	chains map[nftables.ChainHook]*nftables.Chain
}

// protect writes the firewall and translation of the node at a place. The
// calling thread is in the node's namespace.
func (p *plan) protect(place int) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("kernel: nftables: %w", err)
	}
	added := 0
	for _, ipv6 := range families {
		r := &rules{conn: conn, ipv6: ipv6, chains: map[nftables.ChainHook]*nftables.Chain{}}
		if place == len(p.Routers) {
			r.target(p.Target)
		} else {
			r.router(p.Routers[place])
		}
		added += len(r.chains)
	}
	if added == 0 {
		return nil
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("kernel: nftables: %w", err)
	}
	return nil
}

func (s *rules) router(r Router) {
	if r.Silent {
		s.muffle(dropped())
	}
	if r.DropEvery > 0 {
		s.muffle(oneOf(r.DropEvery, 0), dropped())
	}
	if r.DropEach > 0 {
		s.muffle(oneOf(r.DropEach, r.DropEach-1), dropped())
	}
	if len(r.DropNth) > 0 {
		s.muffle(numbered())
		for _, n := range r.DropNth {
			s.muffle(isNumber(n), dropped())
		}
	}
	if r.Limit != nil {
		s.muffle(over(*r.Limit), dropped())
	}
	if r.Blackhole {
		s.add(nftables.ChainHookForward, s.toTarget(), dropped())
	}
	if r.Reject != nil {
		hook := nftables.ChainHookForward
		if r.Reject.Early {
			hook = nftables.ChainHookPrerouting
		}
		s.reject(hook, r.Reject)
	}
	if r.NAT {
		s.add(nftables.ChainHookPostrouting, s.toTarget(), []expr.Any{&expr.Masq{}})
	}
}

func (s *rules) target(t Target) {
	if t.Silent {
		s.add(nftables.ChainHookInput, dropped())
		return
	}
	if t.Elsewhere {
		s.muffle(s.from(targetAddress(1, s.ipv6)))
	}
	if t.NoEcho {
		s.add(nftables.ChainHookInput, s.echoRequests(), dropped())
	}
	if t.NoGRE {
		s.add(nftables.ChainHookInput, protocol(unix.IPPROTO_GRE), dropped())
	}
	if t.Reject != nil {
		s.reject(nftables.ChainHookInput, t.Reject)
	}
	for _, port := range t.TCPFiltered {
		s.add(nftables.ChainHookInput, toPort(unix.IPPROTO_TCP, port), dropped())
	}
	for _, port := range t.UDPFiltered {
		s.add(nftables.ChainHookInput, toPort(unix.IPPROTO_UDP, port), dropped())
	}
}

// add appends a rule to the chain at a hook, which it makes when first used.
func (s *rules) add(hook *nftables.ChainHook, parts ...[]expr.Any) {
	chain := s.chains[*hook]
	if chain == nil {
		chain = s.chain(hook)
		s.chains[*hook] = chain
	}
	var exprs []expr.Any
	for _, part := range parts {
		exprs = append(exprs, part...)
	}
	s.conn.AddRule(&nftables.Rule{Table: s.table, Chain: chain, Exprs: exprs})
}

func (s *rules) chain(hook *nftables.ChainHook) *nftables.Chain {
	if s.table == nil {
		family := nftables.TableFamilyIPv4
		if s.ipv6 {
			family = nftables.TableFamilyIPv6
		}
		s.table = s.conn.AddTable(&nftables.Table{Name: "lab", Family: family})
	}
	chain := &nftables.Chain{
		Name:     fmt.Sprintf("hook%d", *hook),
		Table:    s.table,
		Type:     nftables.ChainTypeFilter,
		Hooknum:  hook,
		Priority: nftables.ChainPriorityFilter,
	}
	if *hook == *nftables.ChainHookPostrouting {
		chain.Type, chain.Priority = nftables.ChainTypeNAT, nftables.ChainPriorityNATSource
	}
	return s.conn.AddChain(chain)
}

// toTarget matches packets for the target's own addresses, by the leading
// bytes of the destination.
func (s *rules) toTarget() []expr.Any {
	address := targetAddress(0, s.ipv6).AsSlice()
	offset, length := uint32(16), 2 // IPv4: 198.19
	if s.ipv6 {
		offset, length = 24, 6 // 2001:db8:ffff
	}
	return []expr.Any{
		load(expr.PayloadBaseNetworkHeader, offset, uint32(length)),
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address[:length]},
	}
}

func toPort(proto uint8, port uint16) []expr.Any {
	return append(protocol(proto),
		load(expr.PayloadBaseTransportHeader, 2, 2),
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)})
}

func protocol(number uint8) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

func load(base expr.PayloadBase, offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: 1, Base: base, Offset: offset, Len: length}
}

// echoRequests matches echo requests.
func (s *rules) echoRequests() []expr.Any {
	number, kind := uint8(unix.IPPROTO_ICMP), byte(8)
	if s.ipv6 {
		number, kind = unix.IPPROTO_ICMPV6, 128
	}
	return append(protocol(number), load(expr.PayloadBaseTransportHeader, 0, 1),
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{kind}})
}

// reject refuses what comes by a hook on its way to the target.
func (s *rules) reject(hook *nftables.ChainHook, r *Reject) {
	code := r.IPv4
	if s.ipv6 {
		code = r.IPv6
	}
	verdict := []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: code}}
	if r.Silent {
		verdict = dropped()
	}
	if len(r.Protocols) == 0 {
		s.add(hook, s.toTarget(), verdict)
	}
	for _, p := range r.Protocols {
		s.add(hook, protocol(s.number(p)), s.toTarget(), verdict)
	}
}

// number is what a protocol is called in the family's header.
func (s *rules) number(p netsim.Protocol) uint8 {
	switch p {
	case netsim.TCP:
		return unix.IPPROTO_TCP
	case netsim.UDP:
		return unix.IPPROTO_UDP
	case netsim.GRE:
		return unix.IPPROTO_GRE
	}
	if s.ipv6 {
		return unix.IPPROTO_ICMPV6
	}
	return unix.IPPROTO_ICMP
}

func dropped() []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
}
