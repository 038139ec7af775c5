package v1

import (
	"cmp"
	"net/netip"
	"slices"

	"probe-agent/traceroute"
)

// Path is the way that the packets of one flow took.
type Path struct {
	Flow         int           `json:"flow"`
	Encapsulated bool          `json:"encapsulated"`
	Reached      bool          `json:"reached"` // a packet of this flow reached the target
	IPs          []*netip.Addr `json:"ips"`     // by TTL from 1 on; null: no answer
}

// newPaths sorts the probes, which are by TTL, into those of each flow;
// encapsulated flows first.
func newPaths(probes []traceroute.Probe) []Path {
	paths := []Path{}
	for i := range probes {
		p := &probes[i]
		at := slices.IndexFunc(paths, func(known Path) bool {
			return known.Flow == int(p.Flow) && known.Encapsulated == p.Encapsulated
		})
		if at < 0 {
			at = len(paths)
			paths = append(paths, Path{Flow: int(p.Flow), Encapsulated: p.Encapsulated, IPs: []*netip.Addr{}})
		}
		path := &paths[at]
		for len(path.IPs) < int(p.TTL) {
			path.IPs = append(path.IPs, nil)
		}
		if p.Answer != nil {
			path.IPs[p.TTL-1] = new(p.Answer.From)
			path.Reached = path.Reached || p.Answer.Arrival
		}
	}
	slices.SortStableFunc(paths, func(a, b Path) int {
		switch {
		case a.Encapsulated == b.Encapsulated:
			return cmp.Compare(a.Flow, b.Flow)
		case a.Encapsulated:
			return -1
		}
		return 1
	})
	return paths
}
