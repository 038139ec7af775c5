//go:build linux

package kernel

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
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
	if r.Silent || r.DropEvery > 0 {
		s.muffle(r.DropEvery)
	}
	if r.Blackhole {
		s.add(nftables.ChainHookForward, s.toTarget(), dropped())
	}
	if r.Reject != nil {
		hook, code := nftables.ChainHookForward, r.Reject.IPv4
		if r.Reject.Early {
			hook = nftables.ChainHookPrerouting
		}
		if s.ipv6 {
			code = r.Reject.IPv6
		}
		s.add(hook, s.toTarget(), []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: code}})
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
	for _, port := range t.TCPFiltered {
		s.add(nftables.ChainHookInput, toPort(unix.IPPROTO_TCP, port), dropped())
	}
	for _, port := range t.UDPFiltered {
		s.add(nftables.ChainHookInput, toPort(unix.IPPROTO_UDP, port), dropped())
	}
}

// muffle drops ICMP errors on their way out: one of every, or all for 0.
func (s *rules) muffle(every int) {
	drop := dropped()
	if every > 0 {
		counted := []expr.Any{
			&expr.Numgen{Register: 1, Modulus: uint32(every), Type: unix.NFT_NG_INCREMENTAL},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(0)},
		}
		drop = append(counted, drop...)
	}
	errors := []expr.Any{load(expr.PayloadBaseTransportHeader, 0, 1)}
	if s.ipv6 {
		// RFC 4443 section 2.1: errors have the high bit of the type clear.
		errors = append(protocol(unix.IPPROTO_ICMPV6), append(errors, &expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: []byte{128}})...)
	} else {
		// 3 unreachable, 11 time exceeded and 12 parameter problem are all
		// that a router without redirects sends, apart from echo reply, 0.
		errors = append(protocol(unix.IPPROTO_ICMP), append(errors, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}})...)
	}
	s.add(nftables.ChainHookOutput, errors, drop)
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

func dropped() []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
}
