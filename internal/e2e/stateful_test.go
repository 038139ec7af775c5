//go:build linux

package e2e

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// States of a tracked packet, as bits (include/uapi/linux/netfilter/nf_conntrack_common.h).
const (
	stateInvalid     = 1 << 0
	stateEstablished = 1 << 1
	stateRelated     = 1 << 2
)

// trackConnections makes a host drop all that comes in but answers, as
// docs/operating.md has the rules.
func trackConnections(t testing.TB, s site) {
	t.Helper()
	on(t, s.Host, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		table := conn.AddTable(&nftables.Table{Name: "stateful", Family: nftables.TableFamilyINet})
		policy := nftables.ChainPolicyDrop
		chain := conn.AddChain(&nftables.Chain{
			Name: "in", Table: table, Type: nftables.ChainTypeFilter, Policy: &policy,
			Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
		})
		states := func(bits uint32, verdict expr.VerdictKind) {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
				&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
				&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
				&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
				&expr.Verdict{Kind: verdict},
			}})
		}
		for _, discovery := range []byte{135, 136} { // neighbours (RFC 4861)
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_ICMPV6}},
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{discovery}},
				&expr.Verdict{Kind: expr.VerdictAccept},
			}})
		}
		states(stateInvalid, expr.VerdictDrop)
		states(stateEstablished|stateRelated, expr.VerdictAccept)
		return conn.Flush()
	})
}

// Connection tracking on the host, and on a masquerading gateway behind it,
// lets the answers to every probe in.
func TestConnectionTracking(t *testing.T) {
	everyWay(t, func(t *testing.T, w way, ipv6 bool) {
		topology := chain()
		topology.Routers[1].NAT = true
		s := newSite(t, topology)
		trackConnections(t, s)
		s.asExpected(t, s.trace(t, w.spec(s, ipv6)))
	})
}
