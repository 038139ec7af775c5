package prober

import (
	"cmp"
	"slices"
)

// Add counts a further trace to the same target, by the same method, into the
// summary: packets and round-trip times of a node are taken together, nodes and
// hops that were not there before are added.
func (s *Summary) Add(further Summary) {
	s.Target.Merge(further.Target)
	for i := range further.Hops {
		if i == len(s.Hops) {
			s.Hops = append(s.Hops, HopSummary{TTL: further.Hops[i].TTL})
		}
		s.Hops[i].merge(&further.Hops[i])
	}
}

func (h *HopSummary) merge(further *HopSummary) {
	h.Sent += further.Sent
	h.Lost += further.Lost
	for _, node := range further.Nodes {
		i := slices.IndexFunc(h.Nodes, func(n NodeSummary) bool { return n.Addr == node.Addr && n.half() == node.half() })
		if i < 0 {
			node.Labels = slices.Clone(node.Labels)
			h.Nodes = append(h.Nodes, node)
			continue
		}
		h.Nodes[i].RTT.Merge(node.RTT)
		for _, label := range node.Labels {
			h.Nodes[i].Labels = appendNew(h.Nodes[i].Labels, label)
		}
	}
	h.sort()
}

// half returns which half of a GREICMP trace a node belongs to, "" in any
// other.
func (n *NodeSummary) half() string {
	if len(n.Labels) > 0 && (n.Labels[0] == labelGRE || n.Labels[0] == labelICMP) {
		return n.Labels[0]
	}
	return ""
}

// sort puts the nodes in order: by packets, most first, then by address, then by
// half.
func (h *HopSummary) sort() {
	slices.SortStableFunc(h.Nodes, func(a, b NodeSummary) int {
		return cmp.Or(cmp.Compare(b.RTT.Count(), a.RTT.Count()), a.Addr.Compare(b.Addr), cmp.Compare(a.half(), b.half()))
	})
}
