package prober_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

var everyMethod = []traceroute.Method{traceroute.ICMP, traceroute.TCP, traceroute.UDP, traceroute.GRE, traceroute.GREICMP}

func simulated(t *testing.T, scenario *netsim.Scenario) *netsim.Network {
	t.Helper()
	network, err := netsim.New(scenario)
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// What a host cannot send to is passed over for another address of the target,
// with every method; when there is none, the error names what was tried.
func TestTraceFirst(t *testing.T) {
	target4, target6 := netip.MustParseAddr("198.18.255.1"), netip.MustParseAddr("2001:2::ff01")
	for _, method := range everyMethod {
		synctest.Test(t, func(t *testing.T) {
			scenario := netsim.Chain(2, 20*time.Millisecond)
			scenario.Family = netsim.IPv4
			network := simulated(t, scenario)
			engine := startEngine(t, netsim.NewMemory(network, network.Host()))
			spec := traceroute.Spec{Method: method}
			targets := []netip.Addr{target6, target6.Next(), target4, target4.Next()}
			result, err := engine.TraceFirst(t.Context(), spec, targets, prober.Feed{})
			if err != nil || result.Spec.Target != target4 || result.Stop != traceroute.Reached {
				t.Errorf("%v: %+v, %v", method, result, err)
			}
			_, err = engine.TraceFirst(t.Context(), spec, targets[:2], prober.Feed{})
			if failure, ok := errors.AsType[*prober.RouteError](err); !ok || !errors.Is(err, syscall.ENETUNREACH) {
				t.Fatalf("%v: error %#v", method, failure)
			}
			for _, tried := range []netip.Addr{target6, target6.Next()} {
				if !strings.Contains(err.Error(), tried.String()) {
					t.Errorf("%v: %q does not name %v", method, err, tried)
				}
			}
		})
	}
}

// unprivileged supports ICMP over IPv4 alone.
type unprivileged struct{ *netsim.Memory }

var errPrivilege = errors.New("needs raw sockets")

func (unprivileged) Supports(typ packet.Type, ipv6 bool) error {
	if typ != packet.ICMP || ipv6 {
		return errPrivilege
	}
	return nil
}

func (unprivileged) Ports() []uint16 { return nil }

// What the transport does not support is refused by name, and passed over for
// an address of a family that it does support.
func TestUnsupported(t *testing.T) {
	target4, target6 := netip.MustParseAddr("198.18.255.1"), netip.MustParseAddr("2001:2::ff01")
	synctest.Test(t, func(t *testing.T) {
		network := simulated(t, netsim.Chain(2, 20*time.Millisecond))
		engine := startEngine(t, unprivileged{netsim.NewMemory(network, network.Host())})
		for _, c := range []struct {
			method traceroute.Method
			target netip.Addr
			want   string // of the error; empty: none
		}{
			{traceroute.ICMP, target4, ""},
			{traceroute.ICMP, target6, "icmp over IPv6 is not supported"},
			{traceroute.TCP, target4, "tcp over IPv4 is not supported"},
			{traceroute.GREICMP, target4, "gre+icmp over IPv4 is not supported"},
		} {
			result, err := engine.Trace(t.Context(), traceroute.Spec{Target: c.target, Method: c.method}, prober.Feed{})
			if c.want == "" {
				if err != nil || result.Stop != traceroute.Reached {
					t.Errorf("%v of %v: %+v, %v", c.method, c.target, result, err)
				}
				continue
			}
			if _, ok := errors.AsType[*prober.UnsupportedError](err); !ok || !errors.Is(err, errPrivilege) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v of %v: error %v, want %q", c.method, c.target, err, c.want)
			}
		}
		result, err := engine.TraceFirst(t.Context(), traceroute.Spec{}, []netip.Addr{target6, target4}, prober.Feed{})
		if err != nil || result.Spec.Target != target4 {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

// closing is a transport that is closed while a trace asks it for routes.
type closing struct{ *netsim.Memory }

func (closing) Routes([]packet.RouteQuery, []packet.Route) error {
	return fmt.Errorf("routes: %w", net.ErrClosed)
}

// An engine that is closed meanwhile is not a host without a route.
func TestClosedWhileRouting(t *testing.T) {
	network := simulated(t, netsim.Chain(2, 20*time.Millisecond))
	engine := startEngine(t, closing{netsim.NewMemory(network, network.Host())})
	target := netip.MustParseAddr("198.18.255.1")
	_, err := engine.TraceFirst(t.Context(), traceroute.Spec{}, []netip.Addr{target, target.Next()}, prober.Feed{})
	if !errors.Is(err, prober.ErrClosed) {
		t.Errorf("error %v, want %v", err, prober.ErrClosed)
	}
}

// uplinked is a host with two addresses, on two interfaces that flows take in
// turn.
type uplinked struct {
	*netsim.Memory
	second netip.Addr

	mu   sync.Mutex
	sent map[netip.Addr]map[int]int // packets, by source and interface
}

func (u *uplinked) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	if err := u.Memory.Routes(flows, routes); err != nil {
		return err
	}
	for i := range routes {
		if routes[i].Interface = 1; i%2 == 1 {
			routes[i] = packet.Route{Source: u.second, Interface: 2}
		}
	}
	return nil
}

func (u *uplinked) Senders() []packet.Sender { return []packet.Sender{u} }

func (u *uplinked) Send(packets []packet.Outgoing) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range packets {
		source := netip.AddrFrom4([4]byte(p.Bytes[12:16]))
		if u.sent[source] == nil {
			u.sent[source] = map[int]int{}
		}
		u.sent[source][p.Interface]++
	}
	return u.Memory.Send(packets)
}

// Each flow keeps to its own source and interface, and the Result names the
// first flow's source.
func TestFlowsOfTwoUplinks(t *testing.T) {
	for _, method := range everyMethod {
		synctest.Test(t, func(t *testing.T) {
			network := simulated(t, netsim.Chain(2, 20*time.Millisecond))
			memory := netsim.NewMemory(network, network.Host())
			u := &uplinked{Memory: memory, second: netsim.N(77).For(false), sent: map[netip.Addr]map[int]int{}}
			engine := startEngine(t, u)
			result, err := engine.Trace(t.Context(), traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), Method: method, PacketsPerTTL: 4}, prober.Feed{})
			if err != nil {
				t.Fatal(err)
			}
			first := result.Source
			if len(u.sent) != 2 || len(u.sent[first]) != 1 || u.sent[first][1] == 0 || len(u.sent[u.second]) != 1 || u.sent[u.second][2] == 0 {
				t.Errorf("%v from %v: sent %v", method, first, u.sent)
			}
		})
	}
}
