package settings

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"probe-agent/internal/hostaddr"
	"probe-agent/internal/rawsock"
)

// SocketFlags say where probes leave from.
type SocketFlags struct {
	Source    []netip.Addr `protects:"no" placeholder:"ADDR" example:"192.0.2.10,2001:db8::10" help:"Address that probes leave from; at most one for each family. Without it the route decides." more:"They must be this host's."`
	Interface string       `protects:"no" placeholder:"NAME" example:"eth0" help:"Network interface that probes leave through. Without it the route decides."`
	Mark      mark         `protects:"no" default:"0" placeholder:"N" help:"Mark of probes (SO_MARK), which routing rules and firewalls can match; decimal or 0x…, 0 for none (${default}). Before Linux 5.17 it needs CAP_NET_ADMIN."`
}

// mark is an SO_MARK; 0: none.
type mark uint32

func (v *mark) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("%q is not a number from 0 to 4294967295, or 0x0 to 0xffffffff", text)
	}
	*v = mark(n)
	return nil
}

// Validate refuses what cannot be a source or an interface, on this host or any.
func (f *SocketFlags) Validate() error {
	options, err := f.Sockets()
	if err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return fmt.Errorf("--source, --interface: %s", strings.TrimPrefix(err.Error(), "rawsock: "))
	}
	addrs, err := hostaddr.List()
	if err != nil {
		return nil //nolint:nilerr // whoever needs the addresses says so
	}
	if network, is := hostaddr.Broadcast(options.Source4, addrs); is {
		return fmt.Errorf("--source: %v is the broadcast address of %v", options.Source4, network)
	}
	return nil
}

// Sockets returns what the flags say, at most one source address of each
// family.
func (f *SocketFlags) Sockets() (rawsock.Options, error) {
	options := rawsock.Options{Interface: f.Interface, Mark: uint32(f.Mark)}
	for _, addr := range f.Source {
		addr = addr.Unmap()
		family := &options.Source6
		if addr.Is4() {
			family = &options.Source4
		}
		if family.IsValid() {
			return options, fmt.Errorf("--source: %s and %s are of one family; give at most one IPv4 and one IPv6 address", *family, addr)
		}
		*family = addr
	}
	return options, nil
}
