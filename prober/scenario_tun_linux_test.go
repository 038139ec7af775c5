package prober_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim"
	"probe-agent/internal/rawsock"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// How the stage on a TUN device keeps short: scenarios run on several devices at
// once. They could run faster than they are written as well, but a busy machine
// answers late, and the wait must not be over by then.
const (
	tunFaster = 1
	tunLanes  = 16
)

// onTUN reports whether a scenario can run on a TUN device, and if not, why.
// What happens on the host itself is virtual; so are guessers, who must know
// the host's ports. Addresses have to be of the plan that the device routes.
func onTUN(s *netsim.Scenario) (reason string) {
	switch {
	case !reflect.DeepEqual(s.Host, netsim.Host{}):
		return "the host is virtual"
	case len(s.Guessers) > 0:
		return "guessers know the ports of the virtual host"
	case len(s.Changes) > 0:
		return "which probes a change finds under way hangs on milliseconds"
	case slices.ContainsFunc(s.Hops, func(h netsim.Hop) bool { return h.Middlebox != nil && h.Middlebox.Pass }):
		return "two answers race, and which is first hangs on milliseconds"
	case s.Addresses()[0] != netsim.N(65281).For(s.Family == netsim.IPv6):
		return "addresses outside of the plan"
	}
	return ""
}

// TestScenariosOnTUN runs the scenario files through real sockets: a TUN
// device with the network behind it, in a namespace of the test's own.
func TestScenariosOnTUN(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces, TUN devices and raw sockets")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("needs TUN devices: %v", err)
	}
	if testing.Short() {
		t.Skip("takes some ten seconds")
	}
	type job struct {
		file scenarioFile
		at   int
	}
	files := scenarioFiles(t, tunFaster)
	outcomes := map[string][]outcome{}
	jobs := make(chan job)
	var lanes, opening sync.WaitGroup
	opening.Add(tunLanes)
	for range tunLanes {
		lanes.Go(func() {
			l, err := openLane()
			if err != nil {
				t.Errorf("stage: %v", err)
			}
			// Opening takes more of the processors than running does: no trace
			// is to wait for that.
			opening.Done()
			opening.Wait()
			for j := range jobs {
				if l != nil {
					outcomes[j.file.name][j.at] = l.run(t, j.file, j.at)
				}
			}
			if err := l.close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, f := range files {
		if onTUN(f.scenario) == "" {
			outcomes[f.name] = make([]outcome, len(f.cases))
		}
	}
	for _, f := range files {
		for i := range outcomes[f.name] {
			jobs <- job{f, i}
		}
	}
	close(jobs)
	lanes.Wait()
	if t.Failed() {
		return
	}
	for _, f := range files {
		if outcomes[f.name] == nil {
			continue
		}
		t.Run(strings.TrimSuffix(f.name, ".yaml"), func(t *testing.T) {
			for i, o := range outcomes[f.name] {
				c := f.cases[i]
				// What comes while the trace still runs hangs on milliseconds.
				c.expect.Counts.Late = nil
				t.Run(c.name(), func(t *testing.T) { c.check(t, o) })
			}
		})
	}
}

// lane is a namespace with a device and an engine in it. Its methods must be
// called by the goroutine that opened it, whose thread is in the namespace.
type txQueue struct {
	namespace netns.NsHandle
	tun       *netsim.TUN
	engine    *prober.Engine
}

// openLane takes the calling goroutine and its thread into a new namespace,
// for good: the thread ends with the goroutine, and the namespace with it.
func openLane() (*txQueue, error) {
	runtime.LockOSThread()
	namespace, err := netns.New()
	if err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	first, err := netsim.New(netsim.Chain(1, time.Millisecond))
	if err != nil {
		return nil, err
	}
	l := &txQueue{namespace: namespace}
	if l.tun, err = netsim.OpenTUN("probe0", first); err != nil {
		return nil, errors.Join(err, namespace.Close())
	}
	if err := l.awaitAddress(first.Host().Source.For(true)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	transport, err := rawsock.Open(rawsock.Options{Ports: labPorts})
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	if l.engine, err = prober.New(transport, prober.Options{}); err != nil {
		return nil, errors.Join(err, transport.Close(), l.close())
	}
	return l, nil
}

// awaitAddress waits until an IPv6 address is the namespace's own, which the
// kernel sees to some time after it was added.
func (l *txQueue) awaitAddress(address netip.Addr) error {
	updates, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	options := netlink.RouteSubscribeOptions{Namespace: &l.namespace, ListExisting: true}
	if err := netlink.RouteSubscribeWithOptions(updates, done, options); err != nil {
		return fmt.Errorf("subscribe to routes: %w", err)
	}
	defer func() {
		close(done)
		for range updates { // until the subscription's socket is closed
		}
	}()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case u := <-updates:
			if u.Route.Type == unix.RTN_LOCAL && u.Dst != nil && slices.Equal(u.Dst.IP.To16(), address.AsSlice()) {
				return nil
			}
		case <-deadline:
			return fmt.Errorf("%v does not come up", address)
		}
	}
}

// patientWait is how long a case waits for answers. Where none may be missing
// it costs nothing to wait long, and a busy machine, which answers late, does
// not look like loss. Where some come late by design, the wait is scaled as
// the delays are.
func patientWait(expect netsim.Expectation) time.Duration {
	for _, hop := range expect.Hops {
		if hop.Lost == nil || *hop.Lost > 0 {
			return traceroute.DefaultWait / tunFaster
		}
	}
	return traceroute.MaxWait
}

// run runs one case on a network of its own.
func (l *txQueue) run(t *testing.T, f scenarioFile, at int) outcome {
	network, err := netsim.New(f.scenario)
	if err == nil {
		err = l.tun.Replace(network)
	}
	if err != nil {
		return outcome{err: err}
	}
	c := f.cases[at]
	if c.expect.Wait == 0 {
		c.expect.Wait = patientWait(c.expect)
	}
	if c.expect.Start > 0 {
		<-time.After(c.expect.Start)
	}
	return c.trace(t.Context(), l.engine)
}

func (l *txQueue) close() error {
	if l == nil {
		return nil
	}
	var errs []error
	if l.engine != nil {
		errs = append(errs, l.engine.Close())
	}
	return errors.Join(append(errs, l.tun.Close(), l.namespace.Close())...)
}
