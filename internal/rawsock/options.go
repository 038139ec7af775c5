package rawsock

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
)

// Defaults and bounds of Options.
const (
	// DefaultReceiveBuffer holds what arrives while the receiver is kept from
	// running. The kernel counts about 1 KiB for a small packet and doubles
	// what is asked, so this is room for some 16,000 answers: 160 ms at
	// 100,000 a second. It is a limit, memory is used only when packets wait.
	DefaultReceiveBuffer = 8 << 20
	// DefaultPorts is how many flows to one target and port can run at once,
	// TCP and UDP each: a flow has a port to itself.
	DefaultPorts = 256
	// MinPorts is one for each flow of the widest trace.
	MinPorts = 10
	// MaxLanes is where more threads in sendmmsg(2) at once bring no more
	// packets onto one interface.
	MaxLanes = 4
	// MaxPorts keeps the descriptors, two per port, far below usual limits.
	MaxPorts = 1024
)

// Options say how a Transport is opened. The zero value is ready for use.
type Options struct {
	// Source4 and Source6 are the addresses that packets leave from. Each must
	// be an address of this host. Invalid means that the kernel chooses per
	// target.
	Source4, Source6 netip.Addr
	// Interface is the network interface that packets leave through, by its
	// routes. Empty means that all routes count. Answers are seen on whichever
	// interface they arrive. One that is made anew under its name is followed
	// from the next Routes on.
	Interface string
	// Mark is the SO_MARK of every packet, which routing rules and firewalls can
	// ask for; 0 is none. It needs CAP_NET_RAW, before Linux 5.17 CAP_NET_ADMIN.
	Mark uint32
	// ReceiveBuffer is asked for each receiving socket, in bytes. 0 means
	// DefaultReceiveBuffer. Without CAP_NET_ADMIN the kernel grants no more
	// than net.core.rmem_max; Status tells what it granted.
	ReceiveBuffer int
	// Ports is how many consecutive TCP and UDP ports to hold: MinPorts to
	// MaxPorts. 0 means DefaultPorts, or fewer where no range of so many is
	// free, or where they would take more than half of the descriptors that the
	// process may have. Ports that net.ipv4.ip_local_reserved_ports reserves are
	// left alone.
	Ports int

	// Lanes is how many sending sockets to open for each family: 1 to
	// MaxLanes, 0 means one for each processor.
	Lanes int

	// Seams of this package's tests; zero in any other use.

	stamps     stampMode // use this mode, whatever the kernel can do
	sendBuffer int       // bytes asked for the sending sockets
	// plainLookup has the kernel look packets up by protocol 255, as before 6.4.
	plainLookup bool
	// socket replaces socket(2).
	socket func(domain, kind, protocol int) (int, error)
}

// ErrPrivilege is matched by the error of Open when the process may not open
// raw sockets. That error's text says what to do.
var ErrPrivilege = errors.New("rawsock: not allowed to open raw sockets: CAP_NET_RAW is missing; " +
	"run as root, or grant it: `setcap cap_net_raw+ep BINARY`, AmbientCapabilities=CAP_NET_RAW in a systemd unit, " +
	"or --cap-add=NET_RAW for a container")

// complete fills in the defaults and checks the rest.
func (o *Options) complete() error {
	if o.ReceiveBuffer == 0 {
		o.ReceiveBuffer = DefaultReceiveBuffer
	}
	if o.Lanes == 0 {
		o.Lanes = min(runtime.GOMAXPROCS(0), MaxLanes)
	}
	switch {
	case o.Lanes < 1 || o.Lanes > MaxLanes:
		return fmt.Errorf("rawsock: %d lanes are not within 1 and %d", o.Lanes, MaxLanes)
	case o.ReceiveBuffer < 0 || o.ReceiveBuffer > 1<<30:
		return fmt.Errorf("rawsock: receive buffer of %d bytes is not within 1 and 1 GiB", o.ReceiveBuffer)
	case o.Ports != 0 && (o.Ports < MinPorts || o.Ports > MaxPorts):
		return fmt.Errorf("rawsock: %d ports are not within %d and %d", o.Ports, MinPorts, MaxPorts)
	case o.Source4.IsValid() && !o.Source4.Is4():
		return fmt.Errorf("rawsock: source %v is not an IPv4 address", o.Source4)
	case o.Source6.IsValid() && (!o.Source6.Is6() || o.Source6.Is4In6()):
		return fmt.Errorf("rawsock: source %v is not an IPv6 address", o.Source6)
	}
	if err := o.checkSources(); err != nil {
		return err
	}
	o.Source6 = o.Source6.WithZone("")
	return checkInterface(o.Interface)
}

// Validate returns what is wrong with the options wherever they are used. Open
// finds out besides whether this host has the addresses and the interface.
func (o Options) Validate() error { return o.complete() }

// checkSources refuses addresses that no packet may leave from (RFC 1122 section
// 3.2.1.3, RFC 4291 section 2.7), and link-local ones without their interface.
func (o *Options) checkSources() error {
	for _, source := range [...]netip.Addr{o.Source4, o.Source6} {
		switch {
		case !source.IsValid():
		case source.IsUnspecified():
			return fmt.Errorf("rawsock: source address %v is the unspecified address; leave it out to have the route decide", source)
		case source.IsMulticast():
			return fmt.Errorf("rawsock: source address %v is a multicast address", source)
		case source == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return fmt.Errorf("rawsock: source address %v is a broadcast address", source)
		case source.Zone() != "" && source.Zone() != o.Interface:
			return fmt.Errorf("rawsock: source address %v is on interface %s; set the interface to that too", source, source.Zone())
		case source.Is6() && source.IsLinkLocalUnicast() && o.Interface == "":
			return fmt.Errorf("rawsock: source address %v is a link-local address; set the interface that it is on too", source)
		}
	}
	return nil
}

// maxInterfaceName is IFNAMSIZ less the terminating zero.
const maxInterfaceName = 15

// checkInterface refuses what cannot be the name of an interface.
func checkInterface(name string) error {
	device, _, isLabel := strings.Cut(name, ":")
	switch {
	case isLabel:
		// SIOCGIFINDEX takes a label, and nothing else does.
		return fmt.Errorf("rawsock: interface %s: that is the label of an address, not an interface; the interface is %s, and the address can be set as source", name, device)
	case len(name) > maxInterfaceName, strings.ContainsAny(name, "/ \t\n"), name == ".", name == "..":
		return fmt.Errorf("rawsock: interface %q: not a name of 1 to %d characters without / and spaces", name, maxInterfaceName)
	}
	return nil
}
