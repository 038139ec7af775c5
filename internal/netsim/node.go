package netsim

import (
	"slices"
	"time"
)

// Node is what routers and targets have in common.
type Node struct {
	// Addresses are what answers come from. With several, each answer comes
	// from the next of them in turn.
	Addresses []Address `yaml:"address"`
	// Delay is what the link to this node adds to the round trip, half of it
	// each way.
	Delay time.Duration `yaml:"delay"`
	// Jitter is the most that chance adds to the delay of an answer; uniform.
	Jitter time.Duration `yaml:"jitter"`
	// Loss is of packets on their way to this node, whether they end here or
	// go on.
	Loss Loss `yaml:"loss"`
	// ReplyLoss is of answers that this node makes.
	ReplyLoss Loss `yaml:"reply_loss"`
	// ReturnLoss is of answers that pass this node on their way home, its own
	// included, copies one by one.
	ReturnLoss Loss `yaml:"return_loss"`
	// Silent nodes answer nothing, and forward as others do.
	Silent bool `yaml:"silent"`
	// RateLimit bounds the answers of this node.
	RateLimit *RateLimit `yaml:"rate_limit"`
	// Reject answers packets with an error instead of what would become of
	// them. The first that applies counts.
	Reject []Reject `yaml:"reject"`
	// Quote is how this node's errors quote the packet.
	Quote Quote `yaml:"quote"`
	// MPLS is the label stack, top first, that came with the packet
	// (RFC 4950).
	MPLS []Label `yaml:"mpls"`
	// Interfaces are the interface information objects of errors (RFC 5837).
	Interfaces []Interface `yaml:"interfaces"`
	// Objects are further extension objects of errors, of any class.
	Objects []Object `yaml:"objects"`
	// Duplicate sends answers more than once.
	Duplicate *Duplicate `yaml:"duplicate"`
	// Late delays answers by occurrence, which reorders them, or lets them
	// come after all waiting has ended.
	Late []Late `yaml:"late"`
	// ReplyTTL is the TTL that answers start with; default 255 for routers,
	// 64 for targets.
	ReplyTTL uint8 `yaml:"reply_ttl"`
	// ReplyTOS is the IPv4 TOS or IPv6 traffic class of answers.
	ReplyTOS uint8 `yaml:"reply_tos"`
	// ReturnHops is how many routers forward an answer on its way home;
	// default: as many as the probe passed.
	ReturnHops *int `yaml:"return_hops"`
	// Forge is what somebody sends who sees the packets that come here.
	Forge []Forgery `yaml:"forge"`
}

// Occurrence picks packets by their count at a node. One that picks nothing
// is empty.
type Occurrence struct {
	Nth   []int `yaml:"nth"`   // these
	Every int   `yaml:"every"` // each whose number is a multiple of it
}

func (o Occurrence) empty() bool { return len(o.Nth) == 0 && o.Every == 0 }

func (o Occurrence) holds(n int) bool {
	if o.Every > 0 && n%o.Every == 0 {
		return true
	}
	return slices.Contains(o.Nth, n)
}

// Loss is of packets picked by occurrence, and of the others by chance.
type Loss struct {
	Occurrence `yaml:",inline"`
	Chance     float64 `yaml:"chance"` // 0 to 1
}

// RateLimit is a token bucket, full at the start.
type RateLimit struct {
	Rate  float64 `yaml:"rate"`  // answers per second; 0 lets the burst through and then nothing
	Burst int     `yaml:"burst"` // at least 1
}

// Duplicate sends copies of answers; of all of them when it picks none.
type Duplicate struct {
	Occurrence `yaml:",inline"`
	Copies     int           `yaml:"copies"` // default 1
	Gap        time.Duration `yaml:"gap"`    // between one copy and the next
}

// Late adds a delay to answers; to all of them when it picks none.
type Late struct {
	Occurrence `yaml:",inline"`
	By         time.Duration `yaml:"by"`
}

// Quote is how an ICMP error quotes the packet that caused it. The zero value
// is what a correct router does: as received, as much as fits.
type Quote struct {
	// Length is how many bytes are quoted behind the IP header, or full, the
	// default: what fits into an error of 576 bytes for IPv4 (RFC 1812
	// section 4.3.2.3), 1280 for IPv6 (RFC 4443 section 2.4). Extensions pad
	// it to 128 bytes with the header (RFC 4884 section 4).
	Length QuoteLength `yaml:"length"`
	// LengthField is what an error with extensions says of the quote's
	// length.
	LengthField LengthField `yaml:"length_field"`
	// What the quote says instead of what came in. Checksums in the quote are
	// as a rewriting device would leave them, but for Checksum.
	Source      Address `yaml:"source"`
	Destination Address `yaml:"destination"`
	TTL         *uint8  `yaml:"ttl"`
	TOS         *uint8  `yaml:"tos"`
	IPID        *uint16 `yaml:"ip_id"` // IPv4 only
	// Checksum replaces the IPv4 header checksum of the quote. Some routers
	// quote the one from before the TTL was lowered, some zero.
	Checksum *uint16 `yaml:"ip_checksum"`
	// Options is how many bytes the quoted header has on top of what was sent,
	// a multiple of 8 up to 40: no-operations in an IPv4 header (RFC 791
	// section 3.1), padding in an IPv6 hop-by-hop header (RFC 8200 section
	// 4.3).
	Options int `yaml:"options"`
}
