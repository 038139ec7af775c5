package prober

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/pacing"
	"probe-agent/traceroute"
)

// sharedRegistry saves the making of 200,000 identifiers for each test. Tests
// that do not run in parallel may share it.
var sharedRegistry = sync.OnceValue(func() *ident.Registry[*trace] {
	var ports []uint16
	for p := range 64 {
		ports = append(ports, uint16(33000+p))
	}
	return ident.New[*trace](ports)
})

// testTrace is a trace to 198.51.100.1 with identifiers and without an engine;
// they are released with the test.
func testTrace(t testing.TB, spec traceroute.Spec, typ packet.Type) *trace {
	t.Helper()
	spec.Target = netip.MustParseAddr("198.51.100.1")
	spec, err := spec.Complete()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrace(spec, typ, rand.Uint64(), make(chan struct{}, 1))
	if sharedRegistry().Reserve(0, ident.Request[*trace]{Lease: &tr.lease, Flows: len(tr.flows)}) != nil {
		t.Fatal("too few identifiers")
	}
	t.Cleanup(func() { sharedRegistry().Release(&tr.lease, 0) })
	tr.source = netip.MustParseAddr("198.51.100.2")
	for i := range tr.flows {
		tr.flows[i].egress = pacing.Egress{Source: tr.source}
		tr.lease.Flow(i).Source = tr.source
	}
	tr.strategy.Start(0)
	return tr
}
