//go:build linux

package e2e

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"probe-agent/internal/rawsock"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// leisurely is a rate, in probes a second, at which a trace lasts long enough
// for something to happen in its middle.
const leisurely = 50

// midTrace starts an engine on the fork, and a trace to each target on that; at
// the first answer from behind the spare link it lets happen what is to happen.
func (f fork) midTrace(t *testing.T, method traceroute.Method, ipv6 bool, happen func(testing.TB, fork)) (result *traceroute.Result, err error) {
	t.Helper()
	engine, _ := openEngine(t, f.Lab, rawsock.Options{Ports: ports}, leisurely)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	responders := make(chan prober.Responder, 1)
	spec := traceroute.Spec{Method: method, Wait: brief, PacketsPerTTL: traceroute.PacketsPerTTLLimit}
	ended, other := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		spec := spec
		spec.Target = f.affected(ipv6)
		result, err = engine.Trace(context.Background(), spec, prober.Feed{Responders: responders})
	}()
	go func() {
		defer close(other)
		spec := spec
		spec.Target = f.bystander(ipv6)
		result, err := engine.Trace(context.Background(), spec, prober.Feed{})
		f.unharmed(t, "bystander", result, err)
	}()
	<-responders
	happened := time.Now()
	happen(t, f)
	<-ended
	if took := time.Since(happened); took > faultPatience {
		t.Errorf("ended %v after the fault", took)
	}
	<-other
	return result, err
}

// A fault in the middle of a trace ends it with the same error as one before
// it, or costs it its further answers.
func TestFaultsInMidTrace(t *testing.T) {
	for _, fault := range hostFaults() {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			f := newFork(t)
			method := traceroute.ICMP
			if fault.only4 != nil {
				method = fault.only4[0]
			}
			result, err := f.midTrace(t, method, false, fault.impose)
			switch {
			case fault.want4 != 0:
				if !errors.Is(err, fault.want4) {
					t.Errorf("error %v, want %v", err, fault.want4)
				}
			case err != nil:
				t.Error(err)
			default:
				answered, lost := answers(result)
				if answered == 0 || lost == 0 {
					t.Errorf("%d answered, %d lost, want some of both", answered, lost)
				}
			}
		})
	}
}

// answers counts the probes of a result that were answered, and that were not.
func answers(result *traceroute.Result) (answered, lost int) {
	for _, p := range result.Probes {
		if p.Answer != nil {
			answered++
		} else {
			lost++
		}
	}
	return answered, lost
}

// A route that is changed in the middle of a trace takes the rest of it over
// the new way, from the address that it has: whoever answers is shown.
func TestRouteChangedInMidTrace(t *testing.T) {
	for name, ipv6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFork(t)
			result, err := f.midTrace(t, traceroute.UDP, ipv6, func(t testing.TB, f fork) {
				on(t, f.Host, func() error {
					routes, err := netlink.RouteGet(f.bystander(ipv6).AsSlice())
					if err != nil {
						return err
					}
					return netlink.RouteReplace(&netlink.Route{Dst: single(f.affected(ipv6)), Gw: routes[0].Gw, LinkIndex: routes[0].LinkIndex})
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if answered, lost := answers(result); lost != 0 || answered != 3*traceroute.PacketsPerTTLLimit || result.Stop != traceroute.Reached {
				t.Errorf("%d answered, %d lost, stop %v", answered, lost, result.Stop)
			}
			engine, _ := openEngine(t, f.Lab, rawsock.Options{Ports: ports}, 0)
			defer engine.Close()
			next, err := engine.Trace(context.Background(), traceroute.Spec{Target: f.affected(ipv6), Wait: unhurried}, prober.Feed{})
			if err != nil {
				t.Fatal(err)
			}
			if next.Source != f.Host.Addr(ipv6) || result.Source == next.Source {
				t.Errorf("the trace after it left from %v", next.Source)
			}
			// From now on it is the bystander's way.
			want, _ := expected(f.Lab, traceroute.Spec{Target: f.affected(ipv6), Method: traceroute.ICMP})
			equal(t, want, shown(next))
		})
	}
}

// The answers to a source address that goes away in the middle of a trace are
// lost; the next trace leaves from another.
func TestSourceRemovedInMidTrace(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	on(t, f.Host, spareLink(t, func(link netlink.Link) error { return own(link, addr(spareOther6)) }))
	engine, _ := openEngine(t, f.Lab, rawsock.Options{Ports: ports}, 0)
	defer engine.Close()
	next := func() *traceroute.Result {
		result, err := engine.Trace(context.Background(), traceroute.Spec{Target: f.affected(true), Wait: unhurried}, prober.Feed{})
		f.unharmed(t, "affected target", result, err)
		return result
	}
	source := next().Source
	left := map[netip.Addr]netip.Addr{addr(spareHost6): addr(spareOther6), addr(spareOther6): addr(spareHost6)}[source]
	result, err := f.midTrace(t, traceroute.ICMP, true, func(t testing.TB, f fork) {
		on(t, f.Host, spareLink(t, func(link netlink.Link) error {
			return netlink.AddrDel(link, &netlink.Addr{IPNet: prefix(source.String())})
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if answered, lost := answers(result); answered == 0 || lost == 0 || result.Source != source {
		t.Errorf("from %v: %d answered, %d lost, want some of both", result.Source, answered, lost)
	}
	if got := next().Source; got != left {
		t.Errorf("the trace after it left from %v, want %v", got, left)
	}
}
