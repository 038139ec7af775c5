package prober

import (
	"math/rand/v2"
	"net/netip"
)

// maxPorts is how many source ports are used at most: so many flows of a
// protocol to one target and port run at once.
const maxPorts = 512

// destination is what the UDP or TCP flows to one target and port have in
// common, and compete for source ports within. That of a space without target
// stands for its handles.
type destination struct {
	space  space
	target netip.Addr
	port   uint16
}

// destinationOf returns the destination of a trace's flows.
func destinationOf(t *trace) destination {
	if sp := spaceOf(t.typ); sp != echoSpace {
		return destination{space: sp, target: t.target, port: t.port}
	}
	return destination{space: echoSpace}
}

// portSet is which source ports flows to a destination use, by index into
// identity.ports.
type portSet struct {
	used  [maxPorts / 64]uint64
	count int
}

// takePorts gives every flow a source port that no other flow to d has, or
// reports false when there are too few.
func (id *identity) takePorts(d destination, flows []flow) bool {
	set := id.used[d]
	if set == nil {
		set = &portSet{}
	}
	if len(id.ports)-set.count < len(flows) {
		return false
	}
	id.used[d] = set
	at := rand.IntN(len(id.ports))
	for i := range flows {
		for set.used[at/64]&(1<<(at%64)) != 0 {
			at = (at + 1) % len(id.ports)
		}
		set.used[at/64] |= 1 << (at % 64)
		set.count++
		flows[i].sourcePort = id.ports[at]
	}
	return true
}

// givePorts makes source ports free for other flows to d.
func (id *identity) givePorts(d destination, ports []uint16) {
	set := id.used[d]
	for _, p := range ports {
		at := id.portAt[p]
		set.used[at/64] &^= 1 << (at % 64)
	}
	set.count -= len(ports)
	if set.count == 0 {
		delete(id.used, d)
	}
}
