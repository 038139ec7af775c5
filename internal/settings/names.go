package settings

import (
	"fmt"
	"net/netip"

	"probe-agent/lookup"
)

// NameFlags say how names and AS numbers of nodes are found.
type NameFlags struct {
	Names       nameMode     `protects:"value=off" default:"direct" placeholder:"MODE" help:"How names of nodes are found (${default}): direct asks the name servers, system the host's resolver, off finds none."`
	NameServers []nameServer `protects:"present" reload:"" name:"name-server" placeholder:"ADDR[:PORT]" sep:"," example:"192.0.2.53" help:"Name servers to ask instead of those of resolv.conf, for targets and for nodes." more:"The search list and options of resolv.conf hold in either case."`
	ASNData     []string     `protects:"no" reload:"" name:"asn-data" placeholder:"FILE" sep:"," example:"/var/lib/probe-agent/asn.mmdb" help:"Files with the AS numbers of address ranges: MMDB, IPtoASN or ip-location-db, plain or gzipped. They come before what DNS says. With neither, no AS numbers are shown." more:"Plain text has to end in a newline. They are read again at every reload."`
	ASNDNSIPv4  originZone   `protects:"no" name:"asn-dns-ipv4" placeholder:"ZONE" example:"origin.asn.cymru.com" help:"DNS zone that tells AS numbers of public IPv4 addresses, in the form of origin.asn.cymru.com. The zone operator sees the queried addresses." more:"It is asked for addresses that no file knows."`
	ASNDNSIPv6  originZone   `protects:"no" name:"asn-dns-ipv6" placeholder:"ZONE" example:"origin6.asn.cymru.com" help:"The same for IPv6, in the form of origin6.asn.cymru.com."`
}

// Lookup returns how names and AS numbers are found, all but the tables of AS
// numbers and the name servers.
func (f *NameFlags) Lookup() lookup.Config {
	return lookup.Config{
		Names:       lookup.Mode(f.Names),
		OriginZones: lookup.OriginZones{IPv4: string(f.ASNDNSIPv4), IPv6: string(f.ASNDNSIPv6)},
	}
}

// Servers returns the name servers to ask instead of the host's.
func (f *NameFlags) Servers() []netip.AddrPort {
	servers := make([]netip.AddrPort, len(f.NameServers))
	for i, s := range f.NameServers {
		servers[i] = netip.AddrPort(s)
	}
	return servers
}

type (
	nameMode   lookup.Mode
	nameServer netip.AddrPort
	originZone string
)

func (v *originZone) UnmarshalText(text []byte) error {
	if err := lookup.CheckZone(string(text)); err != nil {
		return err
	}
	*v = originZone(text)
	return nil
}

func (v *nameMode) UnmarshalText(text []byte) error {
	for m := lookup.Direct; m <= lookup.Off; m++ {
		if m.String() == string(text) {
			*v = nameMode(m)
			return nil
		}
	}
	return fmt.Errorf("%q is not one of direct, system, off", text)
}

// Choices returns all values.
func (*nameMode) Choices() []string { return named(lookup.Direct, lookup.Off) }

// dnsPort is where name servers listen (RFC 1035 section 4.2).
const dnsPort = 53

func (v *nameServer) UnmarshalText(text []byte) error {
	if addr, err := netip.ParseAddr(string(text)); err == nil {
		*v = nameServer(netip.AddrPortFrom(addr, dnsPort))
		return nil
	}
	server, err := netip.ParseAddrPort(string(text))
	if err != nil || server.Port() == 0 {
		return fmt.Errorf("%q is not an address, or an address and port", text)
	}
	*v = nameServer(server)
	return nil
}
