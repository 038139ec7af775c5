package main

import (
	"context"
	"fmt"
	"net/netip"

	"probe-agent/internal/inputfile"
	"probe-agent/lookup"
)

// nameFlags say how names and AS numbers of nodes are found.
type nameFlags struct {
	Names       nameMode     `default:"direct" placeholder:"MODE" help:"How names of nodes are found (${default}): direct asks the name servers, system the host's resolver, off finds none."`
	NameServers []nameServer `reload:"" name:"name-server" placeholder:"ADDR[:PORT]" sep:"," help:"Name servers to ask instead of those of resolv.conf, for targets and for nodes."`
	ASNData     []string     `reload:"" name:"asn-data" placeholder:"FILE" sep:"," help:"Files with the AS numbers of address ranges: MMDB, IPtoASN or ip-location-db, plain or gzipped. They come before what DNS says. With neither, no AS numbers are shown."`
	ASNDNSIPv4  originZone   `name:"asn-dns-ipv4" placeholder:"ZONE" help:"DNS zone that tells AS numbers of public IPv4 addresses, in the form of origin.asn.cymru.com. Whoever runs it learns which addresses traces show."`
	ASNDNSIPv6  originZone   `name:"asn-dns-ipv6" placeholder:"ZONE" help:"The same for IPv6, in the form of origin6.asn.cymru.com."`
}

// open loads the tables, from pipes too, and starts looking up. The caller closes
// the Service.
func (f *nameFlags) open(ctx context.Context) (*lookup.Service, error) {
	return lookup.New(ctx, lookup.Config{
		Names: lookup.Mode(f.Names), Servers: f.servers(), Tables: f.ASNData, Open: (&inputfile.Opener{Streams: true}).Open, OriginZones: f.originZones(),
	})
}

// originZones returns the zones that tell AS numbers.
func (f *nameFlags) originZones() lookup.OriginZones {
	return lookup.OriginZones{IPv4: string(f.ASNDNSIPv4), IPv6: string(f.ASNDNSIPv6)}
}

// servers returns the name servers to ask instead of the host's.
func (f *nameFlags) servers() []netip.AddrPort {
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

func (*nameMode) choices() []string { return named(lookup.Direct, lookup.Off) }

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
