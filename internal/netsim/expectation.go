package netsim

import (
	"time"
)

// Expectation is what one kind of trace over the scenario must find, reasoned
// from the topology and the RFCs. The words are those of the consumer: netsim
// does not check methods and stop reasons against anything.
type Expectation struct {
	// Methods are the kinds of trace that it holds for, for example icmp.
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

	// Stop is why the trace ends, for example reached.
	Stop string `yaml:"stop"`
	// Hops are all that the result shows, by TTL.
	Hops []ExpectedHop `yaml:"hops"`
	// Counts are what the hops do not show; what is absent is not checked.
	Counts ExpectedCounts `yaml:"counts"`
}

// ExpectedHop is what one TTL shows.
type ExpectedHop struct {
	TTL  int  `yaml:"ttl"`
	Sent *int `yaml:"sent"` // absent: not checked
	Lost *int `yaml:"lost"` // absent: not checked
	// Nodes are the responders, in any order; none when the hop is silent.
	Nodes []ExpectedNode `yaml:"nodes"`
	// Any accepts any non-empty subset of Nodes: for choices that hang on a
	// hash or on chance.
	Any bool `yaml:"any"`
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
