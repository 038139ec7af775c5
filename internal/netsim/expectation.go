package netsim

import (
	"slices"
	"time"
)

// Expectation is what one kind of trace over the scenario must find, reasoned
// from the topology and the RFCs. The words are those of the consumer: netsim
// does not check methods and stop reasons against anything.
type Expectation struct {
	// Methods are the kinds of trace that it holds for, for example icmp.
	// For gre+icmp, which is two traceroutes in one, an expectation that says
	// of no node which of them found it is of each of them; see Halves.
	Methods []string `yaml:"methods"`
	// Families restricts it; default: all that the scenario carries.
	Families []Family `yaml:"families"`
	// Start is when the trace begins, since the network's start.
	Start time.Duration `yaml:"start"`
	// How to trace; zero values stand for the consumer's defaults.
	MaxTTL  int           `yaml:"max_ttl"`
	Packets int           `yaml:"packets"`
	Port    int           `yaml:"port"`
	Wait    time.Duration `yaml:"wait"`

	// Error is what the trace fails with instead of finding anything.
	Error Errno `yaml:"error"`
	// Stop is why the trace ends, for example reached; any when absent.
	Stop string `yaml:"stop"`
	// Hops are all that the result shows, by TTL.
	Hops []ExpectedHop `yaml:"hops"`
	// Summary is how many packets the summary of the target counts, those of
	// both halves of a gre+icmp trace together; absent: not checked.
	Summary *int `yaml:"summary"`
	// Limited are the TTLs whose loss is told to be a router's limit. Absent:
	// not checked.
	Limited []int `yaml:"limited"`
	// Counts are what the hops do not show; what is absent is not checked.
	Counts ExpectedCounts `yaml:"counts"`
}

// ExpectedHop is what one TTL shows.
type ExpectedHop struct {
	TTL int `yaml:"ttl"`
	// Count is how many TTLs in a row show this, each with the node addresses
	// that follow those of the one before; default 1.
	Count int  `yaml:"count"`
	Sent  *int `yaml:"sent"` // absent: not checked
	Lost  *int `yaml:"lost"` // absent: not checked
	// Nodes are the responders, in any order; none when the hop is silent.
	Nodes []ExpectedNode `yaml:"nodes"`
	// Any accepts any non-empty subset of Nodes: for choices that hang on a
	// hash or on chance.
	Any bool `yaml:"any"`
	// Maybe allows the list to end before this TTL.
	Maybe bool `yaml:"maybe"`
}

// ExpectedNode is one responder. In YAML an address alone will do.
type ExpectedNode struct {
	Address Address `yaml:"address"`
	Count   *int    `yaml:"count"` // absent: not checked
	// Labels are the annotations, in the order shown; none when absent.
	Labels []string `yaml:"labels"`
	// RTT is what every round trip took at least; the consumer knows what its
	// clock adds.
	RTT time.Duration `yaml:"rtt"`
	// What each answer said of the probe and of its own way; absent: not
	// checked.
	QuotedTTL  *uint8 `yaml:"quoted_ttl"`
	QuotedTOS  *uint8 `yaml:"quoted_tos"`
	Interfaces *int   `yaml:"interfaces"` // objects of RFC 5837
	Objects    *int   `yaml:"objects"`    // of other classes
}

// UnmarshalText reads an address.
func (n *ExpectedNode) UnmarshalText(text []byte) error {
	return n.Address.UnmarshalText(text)
}

// ExpectedCounts are packets that the hops do not show.
type ExpectedCounts struct {
	Beyond     *int `yaml:"beyond"`
	Duplicates *int `yaml:"duplicates"`
	Late       *int `yaml:"late"`
	Forged     *int `yaml:"forged"`
}

// EachHop returns what every single TTL shows, with each Count written out.
func (e *Expectation) EachHop() []ExpectedHop {
	var hops []ExpectedHop
	for _, h := range e.Hops {
		for i := range max(1, h.Count) {
			one := h
			one.TTL, one.Count = h.TTL+i, 0
			one.Nodes = slices.Clone(h.Nodes)
			for j := range one.Nodes {
				for range i {
					one.Nodes[j].Address = one.Nodes[j].Address.Next()
				}
			}
			hops = append(hops, one)
		}
	}
	return hops
}

// Halves returns the hops that two traceroutes show which are merged by TTL,
// their nodes labelled first and second: sent and lost count twice, and each
// node is there for both. Hops in which a node is labelled so already are
// returned as they are.
func Halves(hops []ExpectedHop, first, second string) []ExpectedHop {
	var both []ExpectedHop
	for _, h := range hops {
		var nodes []ExpectedNode
		for _, n := range h.Nodes {
			if len(n.Labels) > 0 && (n.Labels[0] == first || n.Labels[0] == second) {
				return hops
			}
			for _, half := range []string{first, second} {
				n := n
				n.Labels = append([]string{half}, n.Labels...)
				nodes = append(nodes, n)
			}
		}
		h.Sent, h.Lost, h.Nodes = twice(h.Sent), twice(h.Lost), nodes
		both = append(both, h)
	}
	return both
}

func twice(n *int) *int {
	if n == nil {
		return nil
	}
	return new(2 * *n)
}
