//go:build linux

package main

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
)

// wireTable is the name of what counts the probes of the lab's host.
const wireTable = "soak"

// countProbes has the lab's host count the probes that leave it: all packets
// but questions to name servers, and the kernel's own, which are resets of
// connections that only probes opened, ICMP errors, and what IPv6 neighbours
// and listeners tell each other.
func countProbes(lab *kernel.Lab) error {
	return lab.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
			table := conn.AddTable(&nftables.Table{Name: wireTable, Family: family})
			chain := conn.AddChain(&nftables.Chain{
				Name: "probes", Table: table, Type: nftables.ChainTypeFilter,
				Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
			})
			for _, passed := range noProbes(family) {
				conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(passed, &expr.Verdict{Kind: expr.VerdictAccept})})
			}
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{&expr.Counter{}}})
		}
		return conn.Flush()
	})
}

// noProbes are the matches of what is not counted, of one family.
func noProbes(family nftables.TableFamily) [][]expr.Any {
	icmp, echo := byte(unix.IPPROTO_ICMP), byte(8)
	if family == nftables.TableFamilyIPv6 {
		icmp, echo = unix.IPPROTO_ICMPV6, 128
	}
	loopback := make([]byte, unix.IFNAMSIZ)
	copy(loopback, "lo")
	const reset = 4 // among TCP's flags, RFC 9293, section 3.1
	return [][]expr.Any{
		{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, is(loopback...)},
		{protocol(), is(unix.IPPROTO_UDP), transport(2, 2), is(0, 53)},
		{
			protocol(), is(unix.IPPROTO_TCP), transport(13, 1),
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{reset}, Xor: []byte{0}}, is(reset),
		},
		{protocol(), is(icmp), transport(0, 1), &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{echo}}},
	}
}

func is(data ...byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }

func protocol() expr.Any { return &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1} }

// transport loads bytes of the header behind IP's.
func transport(offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length}
}

// probesCounted returns how many probes have left the lab's host.
func probesCounted(lab *kernel.Lab) (packets uint64, err error) {
	err = lab.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		found := 0
		for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
			table := &nftables.Table{Name: wireTable, Family: family}
			rules, err := conn.GetRules(table, &nftables.Chain{Name: "probes", Table: table})
			if err != nil {
				return fmt.Errorf("counters: %w", err)
			}
			for _, rule := range rules {
				for _, e := range rule.Exprs {
					if counter, is := e.(*expr.Counter); is {
						packets += counter.Packets
						found++
					}
				}
			}
		}
		if found != 2 {
			return errors.New("counters: not one of each family")
		}
		return nil
	})
	return packets, err
}
