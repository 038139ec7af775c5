package prober_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"probe-agent/internal/netsim"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/rawsock"
	"probe-agent/packet"
	"probe-agent/prober"
)

// labsAtOnce is how many labs of namespaces stand at the same time. Most of
// what their traces do is to wait for what stays silent.
const labsAtOnce = 16

// labPorts is how many ports of each protocol an engine of these tests holds;
// each takes two descriptors.
const labPorts = 64

// inNamespaces returns the reason for which a scenario cannot be played by the
// kernel; "" when it can.
func inNamespaces(s *netsim.Scenario) (reason string) {
	if _, err := kernel.Stage(s); err != nil {
		return err.Error()
	}
	return ""
}

// TestScenariosInNamespaces runs the scenario files over networks of Linux
// namespaces: what answers is the kernel, which has not read the scenario.
func TestScenariosInNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces and raw sockets")
	}
	if err := kernel.Available(); err != nil {
		t.Skipf("needs root: %v", err)
	}
	if testing.Short() {
		t.Skip("takes some ten seconds")
	}
	files := scenarioFiles(t, 1)
	outcomes := map[string][]outcome{}
	var waiting sync.WaitGroup
	free := make(chan struct{}, labsAtOnce)
	for _, f := range files {
		staged, err := kernel.Stage(f.scenario)
		if err != nil {
			continue
		}
		found := make([]outcome, len(f.cases))
		outcomes[f.name] = found
		batch := len(f.cases)
		if staged.Counting {
			batch = 1
		}
		for at := 0; at < len(f.cases); at += batch {
			free <- struct{}{}
			waiting.Go(func() {
				defer func() { <-free }()
				runInLab(t, staged, f.cases[at:at+batch], found[at:at+batch])
			})
		}
	}
	waiting.Wait()
	for _, f := range files {
		if outcomes[f.name] == nil {
			continue
		}
		t.Run(strings.TrimSuffix(f.name, ".yaml"), func(t *testing.T) {
			staged, err := kernel.Stage(f.scenario)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range outcomes[f.name] {
				t.Run(f.cases[i].name(), func(t *testing.T) { f.cases[i].staged(staged).check(t, o) })
			}
		})
	}
}

// staged is the case as a lab plays it: under the lab's addresses, and without
// anything that links add to a round trip.
func (c scenarioCase) staged(s *kernel.Staged) scenarioCase {
	c.target = s.Address(netsim.AddressOf(c.target)).For(c.target.Is6())
	c.expect.Hops = c.expect.EachHop()
	for _, hop := range c.expect.Hops {
		for i := range hop.Nodes {
			n := &hop.Nodes[i]
			n.Address, n.RTT = s.Address(n.Address), 0
		}
	}
	if c.expect.Wait == 0 {
		c.expect.Wait = patientWait(c.expect)
	}
	return c
}

// runInLab builds a lab and runs the cases in it, all at once.
func runInLab(t *testing.T, s *kernel.Staged, cases []scenarioCase, found []outcome) {
	lab, err := kernel.Build(s.Topology)
	if err != nil {
		t.Error(err)
		return
	}
	transport, err := openOnHost(lab)
	if err != nil {
		t.Error(errors.Join(err, lab.Close()))
		return
	}
	engine, err := prober.New(transport, prober.Options{})
	if err != nil {
		t.Error(errors.Join(err, transport.Close(), lab.Close()))
		return
	}
	var running sync.WaitGroup
	for i, c := range cases {
		running.Go(func() { found[i] = c.staged(s).trace(t.Context(), engine) })
	}
	running.Wait()
	if err := errors.Join(engine.Close(), lab.Close()); err != nil {
		t.Error(err)
	}
}

// onHost is a transport whose sockets are in a lab's host. Source may open one
// for each call, so the call has to be made there.
type onHost struct {
	*rawsock.Transport
	lab *kernel.Lab
}

func openOnHost(lab *kernel.Lab) (*onHost, error) {
	t := &onHost{lab: lab}
	err := lab.Do(func() (err error) {
		t.Transport, err = rawsock.Open(rawsock.Options{Ports: labPorts})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sockets in a lab: %w", err)
	}
	return t, nil
}

// Routes is that of rawsock.Transport, in the lab's host.
func (t *onHost) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	return t.lab.Do(func() error { return t.Transport.Routes(flows, routes) })
}
