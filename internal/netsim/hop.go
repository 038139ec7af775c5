package netsim

import "fmt"

// Hop is a router, or a place where the way splits into branches.
type Hop struct {
	Node `yaml:",inline"`
	// Count makes this hop that many in a row, at consecutive addresses;
	// default 1.
	Count int `yaml:"count"`
	// MTU is that of the link behind this router: IPv4 packets with DF and
	// IPv6 packets that are longer are answered with an error. 0: any passes.
	MTU int `yaml:"mtu"`
	// TTLZero forwards a packet whose TTL ends here with a TTL of 0, so that
	// the next router answers for both.
	TTLZero bool `yaml:"ttl_zero"`
	// Rewrite is what the router does to the packets that pass it.
	Rewrite *Rewrite `yaml:"rewrite"`
	// Loop sends whatever passes this router back: it and the Loop-1 routers
	// before it repeat until the TTL ends.
	Loop int `yaml:"loop"`
	// Middlebox answers for the target.
	Middlebox *Middlebox `yaml:"middlebox"`
	// ECMP makes this a split and no router: no other field may be set.
	ECMP *ECMP `yaml:"ecmp"`
}

// ECMP is a choice of ways, made by the router before it. Branches may be of
// different lengths, empty, and split in turn.
type ECMP struct {
	// By is flow (the default) or packet: in turn.
	By       Balance `yaml:"by"`
	Branches [][]Hop `yaml:"branches"`
}

// Rewrite changes the packets that pass, and with them what later nodes
// quote. Checksums follow.
type Rewrite struct {
	Source      Address `yaml:"source"`
	Destination Address `yaml:"destination"`
	SourcePort  uint16  `yaml:"source_port"` // UDP, TCP
	TTL         *uint8  `yaml:"ttl"`
	TOS         *uint8  `yaml:"tos"`
	IPID        *uint16 `yaml:"ip_id"` // IPv4
	// Restore undoes the change of addresses and port in answers and in what
	// they quote, as a correct NAT does (RFC 5508 section 4). Without it they
	// come home as the far side saw them.
	Restore bool `yaml:"restore"`
}

// Reject answers packets with an error. In an ICMP error to the prober the
// packet ends; kind drop ends it without.
type Reject struct {
	Kind RejectKind `yaml:"kind"`
	// When says which packets: those that pass (through, the default), those
	// whose TTL ends here (expired), or both (all). A target gets all.
	When When `yaml:"when"`
	// Protocols restricts it to these: icmp, tcp, udp, gre.
	Protocols []Protocol `yaml:"protocols"`
	// Code is of unreachable, parameter-problem, time-exceeded. Code6 is for
	// IPv6; default Code.
	Code  uint8  `yaml:"code"`
	Code6 *uint8 `yaml:"code6"`
	// MTU is of too-big, and of IPv4 unreachable code 4.
	MTU uint16 `yaml:"mtu"`
	// Pointer is of parameter-problem.
	Pointer uint8 `yaml:"pointer"`
	// From is the address that the error comes from; default the node's.
	From Address `yaml:"from"`
}

// Middlebox answers packets in the target's name, from the target's address.
type Middlebox struct {
	// Protocols are those it answers; default all.
	Protocols []Protocol `yaml:"protocols"`
	// When is as in Reject: through by default.
	When When `yaml:"when"`
	// Pass lets the packet go on as well, so that the target may answer too.
	Pass     bool `yaml:"pass"`
	Endpoint `yaml:",inline"`
}

// Balance is how ECMP chooses.
type Balance uint8

// The ways to balance.
const (
	ByFlow Balance = iota
	ByPacket
)

// UnmarshalText reads flow or packet.
func (b *Balance) UnmarshalText(text []byte) error {
	return pick(b, text, map[string]Balance{"flow": ByFlow, "packet": ByPacket})
}

// RejectKind is what a Reject answers with.
type RejectKind uint8

// The kinds of rejection.
const (
	Unreachable RejectKind = iota + 1
	TooBig
	ParameterProblem
	TimeExceeded
	Drop
)

// UnmarshalText reads unreachable, too-big, parameter-problem, time-exceeded
// or drop.
func (k *RejectKind) UnmarshalText(text []byte) error {
	return pick(k, text, map[string]RejectKind{
		"unreachable": Unreachable, "too-big": TooBig, "parameter-problem": ParameterProblem,
		"time-exceeded": TimeExceeded, "drop": Drop,
	})
}

// When says which packets that reach a router something is done to.
type When uint8

// The moments.
const (
	Through When = iota
	Expired
	All
)

// UnmarshalText reads through, expired or all.
func (w *When) UnmarshalText(text []byte) error {
	return pick(w, text, map[string]When{"through": Through, "expired": Expired, "all": All})
}

// Protocol is a family of probes.
type Protocol uint8

// The protocols, named for both IP versions.
const (
	ICMP Protocol = iota + 1
	TCP
	UDP
	GRE
)

// UnmarshalText reads icmp, tcp, udp or gre.
func (p *Protocol) UnmarshalText(text []byte) error {
	return pick(p, text, map[string]Protocol{"icmp": ICMP, "tcp": TCP, "udp": UDP, "gre": GRE})
}

// pick sets into to what text names.
func pick[T any](into *T, text []byte, names map[string]T) error {
	value, ok := names[string(text)]
	if !ok {
		return fmt.Errorf("%q is not one of %s", text, sortedNames(names))
	}
	*into = value
	return nil
}
