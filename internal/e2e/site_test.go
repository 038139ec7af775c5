//go:build linux

package e2e

import (
	"context"
	"testing"
	"time"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/internal/rawsock"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// site is a lab with an engine on its host.
type site struct {
	*kernel.Lab
	engine *prober.Engine
}

// onHost is a transport whose sockets are in a lab's host. Routes opens one
// per call, so the call has to be made there.
type onHost struct {
	*rawsock.Transport
	lab *kernel.Lab
}

// Routes is that of rawsock.Transport, in the lab's host.
func (t onHost) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	return t.lab.Do(func() error { return t.Transport.Routes(flows, routes) })
}

// ports is how many ports of each protocol an engine of these tests holds: many
// run in one process at once, and each port takes two descriptors.
const ports = 64

// newSite builds a lab and starts an engine in it. Both end with the test.
func newSite(t testing.TB, topology kernel.Topology) site {
	t.Helper()
	lab := kerneltest.Build(t, topology)
	engine := startEngine(t, lab)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return site{lab, engine}
}

// startEngine starts an engine at the daemon's pace. The caller must close it.
func startEngine(t testing.TB, lab *kernel.Lab) *prober.Engine {
	t.Helper()
	var transport *rawsock.Transport
	err := lab.Do(func() (err error) { transport, err = rawsock.Open(rawsock.Options{Ports: ports}); return err })
	if err != nil {
		t.Fatal(err)
	}
	engine, err := prober.New(onHost{transport, lab}, prober.Options{Rate: prober.DefaultRate, NearHopRate: prober.DefaultNearHopRate})
	if err != nil {
		transport.Close()
		t.Fatal(err)
	}
	return engine
}

// trace runs one trace and fails the test when there is no result.
func (s site) trace(t testing.TB, spec traceroute.Spec) *traceroute.Result {
	t.Helper()
	result, err := s.engine.Trace(context.Background(), spec, prober.Feed{})
	if err != nil {
		t.Fatalf("%v to %v: %v", spec.Method, spec.Target, err)
	}
	return result
}

// unhurried is the wait of traces in which nothing is lost: it does not make
// them slower, and no machine is so busy that an answer takes longer.
const unhurried = traceroute.MaxWait

// brief is the wait of traces in which something stays silent.
const brief = 500 * time.Millisecond

// Ports of the targets of endpoint.
const (
	openPort     = 80
	closedPort   = 81
	filteredPort = 82
	echoPort     = 7
	deafPort     = 33434 // no UDP service
)

// endpoint is a target with a port of every sort.
func endpoint() kernel.Target {
	return kernel.Target{
		TCPOpen: []uint16{openPort}, TCPFiltered: []uint16{filteredPort},
		UDPEcho: []uint16{echoPort}, UDPFiltered: []uint16{filteredPort},
	}
}

// chain is five routers in a row before an endpoint.
func chain() kernel.Topology {
	topology := kernel.Chain(5)
	topology.Target = endpoint()
	return topology
}

// way is one way to probe an endpoint.
type way struct {
	name   string
	method traceroute.Method
	port   int
	// arrival4 and arrival6 are the endpoint's answers; of GREICMP those to
	// its GRE half, the other half gets an echo reply.
	arrival4, arrival6 traceroute.Kind
	// alike are options of traceroute(8) that make it probe this way; a
	// GREICMP trace is two of its.
	alike [][]string
}

// ways are all ways to probe an endpoint that it answers.
func ways() []way {
	icmp, gre := []string{"-I"}, []string{"-P", "47"}
	port := func(method, port string) [][]string { return [][]string{{method, "-p", port}} }
	return []way{
		{"icmp", traceroute.ICMP, 0, traceroute.EchoReply, traceroute.EchoReply, [][]string{icmp}},
		{"tcp open", traceroute.TCP, openPort, traceroute.SynAck, traceroute.SynAck, port("-T", "80")},
		{"tcp closed", traceroute.TCP, closedPort, traceroute.Reset, traceroute.Reset, port("-T", "81")},
		{"udp closed", traceroute.UDP, deafPort, traceroute.Unreachable, traceroute.Unreachable, port("-U", "33434")},
		{"udp answering", traceroute.UDP, echoPort, traceroute.UDPAnswer, traceroute.UDPAnswer, port("-U", "7")},
		{"gre", traceroute.GRE, 0, traceroute.Unreachable, traceroute.ParameterProblem, [][]string{gre}},
		{"gre+icmp", traceroute.GREICMP, 0, traceroute.Unreachable, traceroute.ParameterProblem, [][]string{gre, icmp}},
	}
}

// spec is how to trace the lab's target this way.
func (w way) spec(s site, ipv6 bool) traceroute.Spec {
	return traceroute.Spec{Target: s.Target.Addr(ipv6), Method: w.method, Port: w.port, Wait: unhurried}
}

// everyWay runs f as parallel subtests for all ways and both families.
func everyWay(t *testing.T, f func(t *testing.T, w way, ipv6 bool)) {
	t.Helper()
	for _, w := range ways() {
		for family, ipv6 := range map[string]bool{"IPv4": false, "IPv6": true} {
			t.Run(w.name+" "+family, func(t *testing.T) {
				t.Parallel()
				f(t, w, ipv6)
			})
		}
	}
}
