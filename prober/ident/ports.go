package ident

import (
	"math/rand/v2"
	"net/netip"

	"probe-agent/packet"
)

// maxPorts is how many source ports are used at most: so many flows of a
// protocol to one target and port run at once.
const maxPorts = 512

// destination is what the flows to one target and port have in common, and
// compete for source ports within. That of a space without target stands for
// its flow identifiers.
type destination struct {
	space  packet.Space
	target netip.Addr
	port   uint16
}

// destination returns the destination of a lease's flows.
func (l *Lease[O]) destination() destination {
	if l.Type.HasPorts() {
		return destination{space: l.Type.Space(), target: l.Target, port: l.Port}
	}
	return destination{space: l.Type.Space()}
}

// portSet is which source ports flows to a destination use, by index into
// Registry.ports.
type portSet struct {
	used  [maxPorts / 64]uint64
	count int
}

// hasPorts reports whether so many source ports are free for flows to d.
func (r *Registry[O]) hasPorts(d destination, flows int) bool {
	used := 0
	if set := r.used[d]; set != nil {
		used = set.count
	}
	return len(r.ports)-used >= flows
}

// takePorts gives every flow a source port that no other flow to d has.
func (r *Registry[O]) takePorts(d destination, flows []Flow) {
	set := r.used[d]
	if set == nil {
		set = &portSet{}
		r.used[d] = set
	}
	at := rand.IntN(len(r.ports))
	for i := range flows {
		for set.used[at/64]&(1<<(at%64)) != 0 {
			at = (at + 1) % len(r.ports)
		}
		set.used[at/64] |= 1 << (at % 64)
		set.count++
		flows[i].SourcePort = r.ports[at]
	}
}

// freePort makes a source port free for other flows to d.
func (r *Registry[O]) freePort(d destination, port uint16) {
	set, at := r.used[d], r.portAt[port]
	set.used[at/64] &^= 1 << (at % 64)
	if set.count--; set.count == 0 {
		delete(r.used, d)
	}
}
