package lookup

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Defaults of a Config.
const (
	// DefaultBudget is what a finished trace may wait for names: less than
	// anyone notices on top of a trace, more than a resolver with a warm cache
	// needs.
	DefaultBudget = 300 * time.Millisecond
	// DefaultTimeout is how long one try at one name server may take; of a
	// target's name, after how long the next server is asked as well. A
	// resolver that asks its way from the root needs some hundred
	// milliseconds; the answer is still of use to the next trace.
	DefaultTimeout = 500 * time.Millisecond
	// DefaultAttempts is how often every name server is tried.
	DefaultAttempts = 2
	// DefaultConcurrency is the number of lookups under way at once.
	DefaultConcurrency = 64
	// DefaultQueue is the number of lookups that may wait for their turn: the
	// hops of a request of ten targets, and some more requests like it.
	DefaultQueue = 1024
	// DefaultEntries is the number of answers kept, at about 300 bytes each.
	DefaultEntries = 65536
	// DefaultResolvConf says which name servers the host uses, resolv.conf(5).
	DefaultResolvConf = "/etc/resolv.conf"
)

// Mode says how names of addresses are found. Addresses of names are found by
// hosts(5) and the name servers in every mode.
type Mode uint8

const (
	// Direct asks the name servers itself. It sees TTLs, and hence knows how
	// long to keep an answer.
	Direct Mode = iota
	// System leaves the question to the host's resolver, for hosts whose names
	// come from elsewhere as well: files, mDNS, LDAP (nsswitch.conf(5)).
	System
	// Off finds no names.
	Off
)

// String returns direct, system or off.
func (m Mode) String() string {
	switch m {
	case Direct:
		return "direct"
	case System:
		return "system"
	case Off:
		return "off"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// Config says what a Service asks and how much it may take. The zero value
// finds names through the host's name servers, and no AS numbers.
type Config struct {
	Names Mode
	// Servers are the name servers to ask instead of those in ResolvConf.
	Servers []netip.AddrPort
	// ResolvConf is the file that names the host's name servers, and says how
	// to use them, whichever they are; read again when it changes. Default
	// DefaultResolvConf.
	ResolvConf string
	// Hosts is the file of names that needs no name server. Default
	// DefaultHosts.
	Hosts string

	// Tables are files of address ranges and their AS numbers: MaxMind DB with
	// autonomous_system_number (GeoLite2-ASN), IPtoASN TSV, or ip-location-db
	// CSV, with addresses as text or as integers, each plain or gzipped, told
	// apart by content. Plain text has to end in a newline. Where they overlap
	// the narrower prefix counts; of equal ones that of the later file.
	Tables []string
	// Open opens them; nil means os.Open.
	Open Open
	// OriginZones, when set, are asked by DNS for the origin of public
	// addresses that the tables do not know.
	OriginZones OriginZones

	Budget      time.Duration // longest wait of Annotate; default DefaultBudget
	Timeout     time.Duration // of one try at one name server; default DefaultTimeout
	Attempts    int           // tries at every name server; default DefaultAttempts
	Concurrency int           // lookups under way; default DefaultConcurrency
	Queue       int           // lookups waiting; default DefaultQueue
	Entries     int           // answers kept; default DefaultEntries
}

// OriginZones are DNS zones that tell the origin of an address in the form of
// Team Cymru's origin.asn.cymru.com and origin6.asn.cymru.com: the octets of an
// IPv4 address or the nibbles of an IPv6 one, last first and a dot behind each,
// in front of the zone; TXT records such as "13335 | 1.1.1.0/24 | AU | apnic |
// 2011-08-11". An empty zone is not asked.
type OriginZones struct {
	IPv4, IPv6 string
}

// CheckZone returns what is wrong with a zone of OriginZones: it has to be a
// name of letters, digits, hyphens and underscores that leaves room for an
// address in front, up to 180 characters. It may end in a dot.
func CheckZone(zone string) error {
	if name := strings.TrimSuffix(zone, "."); len(name) > maxZone || !validName(name) {
		return fmt.Errorf("%.200q is not a DNS name of up to %d characters", zone, maxZone)
	}
	return nil
}

// complete returns the Config with defaults filled in, or all that is wrong
// with it.
func (c Config) complete() (Config, error) {
	c.ResolvConf = cmp.Or(c.ResolvConf, DefaultResolvConf)
	c.Hosts = cmp.Or(c.Hosts, DefaultHosts)
	c.Budget = cmp.Or(c.Budget, DefaultBudget)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.Attempts = cmp.Or(c.Attempts, DefaultAttempts)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.Queue = cmp.Or(c.Queue, DefaultQueue)
	c.Entries = cmp.Or(c.Entries, DefaultEntries)
	var wrong []error
	if c.Names > Off {
		wrong = append(wrong, fmt.Errorf("lookup: %v is no way to find names", c.Names))
	}
	for _, server := range c.Servers {
		if !server.IsValid() || server.Port() == 0 {
			wrong = append(wrong, fmt.Errorf("lookup: name server %v: not an address with a port", server))
		}
	}
	for _, zone := range []*string{&c.OriginZones.IPv4, &c.OriginZones.IPv6} {
		if *zone == "" {
			continue
		}
		if err := CheckZone(*zone); err != nil {
			wrong = append(wrong, fmt.Errorf("lookup: origin zone: %w", err))
		}
		*zone = strings.TrimSuffix(*zone, ".")
	}
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"budget", int64(c.Budget)},
		{"timeout", int64(c.Timeout)},
		{"attempts", int64(c.Attempts)},
		{"concurrency", int64(c.Concurrency)},
		{"queue", int64(c.Queue)},
		{"entries", int64(c.Entries)},
	} {
		if limit.value < 0 {
			wrong = append(wrong, fmt.Errorf("lookup: %s is below 0", limit.name))
		}
	}
	return c, errors.Join(wrong...)
}
