package rawsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// router decides where packets leave from. All its sockets are opened at the
// start, when the process has its privileges.
type router struct {
	options  *Options
	table    *routeTable   // nil: the host refuses netlink
	refusal  error         // why it does
	plain    [2]*connector // IPv4, IPv6: only where netlink is refused
	gre      [2]*connector
	asPacket [2]bool // the kernel looks packets up by the protocol in their header

	mu     sync.Mutex // guards what follows, and the sockets
	closed bool
	likely [2]netip.Addr // source of the latest decision
	asks   []lookup
	hops   []hop
}

// open opens the sockets for the families that the host has.
func (r *router) open(options *Options, lacks [2]error, asPacket [2]bool) error {
	r.options, r.asPacket = options, asPacket
	if r.table, r.refusal = openRouteTable(options); r.refusal != nil && isExhausted(r.refusal) {
		return r.refusal
	}
	if _, err := r.interfaceIndex(); err != nil && r.table != nil {
		return err
	}
	for family, domain := range [...]int{unix.AF_INET, unix.AF_INET6} {
		source := r.configured(family == 1)
		if lacks[family] != nil {
			continue
		}
		if err := r.checkSource(domain, source); err != nil {
			return err
		}
		var err error
		if r.gre[family], err = openConnector(options, domain, unix.IPPROTO_GRE, source); err != nil {
			return err
		}
		if r.table == nil {
			if r.plain[family], err = openConnector(options, domain, unix.IPPROTO_UDP, source); err != nil {
				return err
			}
		}
	}
	return nil
}

// isExhausted reports whether a socket could not be had for want of something
// that comes back.
func isExhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOBUFS)
}

// checkSource reports an error unless source, if there is one, is an address
// of this host that packets may leave from.
func (r *router) checkSource(domain int, source netip.Addr) error {
	if !source.IsValid() {
		return nil
	}
	if err := r.bindable(domain, source); err != nil || r.table == nil {
		return err
	}
	index, err := r.interfaceIndex()
	if err != nil {
		return err
	}
	// bind(2) takes broadcast addresses as well.
	asks, hops := ownership(source, index), [2]hop{}
	if err := r.table.ask(asks[:], hops[:]); err != nil {
		return err
	}
	if !isOwned(hops[:]) && hops[0].kind == unix.RTN_BROADCAST {
		return fmt.Errorf("rawsock: source address %v is a broadcast address", source)
	}
	return nil
}

func (r *router) configured(v6 bool) netip.Addr {
	if v6 {
		return r.options.Source6
	}
	return r.options.Source4
}

// interfaceIndex returns the index that the interface of the options has now,
// 0 when there is none. An interface that is deleted and made again under its
// name has another one.
func (r *router) interfaceIndex() (int, error) {
	if r.options.Interface == "" {
		return 0, nil
	}
	return interfaceIndex(r.descriptor(), r.options.Interface)
}

// descriptor returns a socket, of whatever sort.
func (r *router) descriptor() int {
	if r.table != nil {
		return r.table.fd
	}
	for _, c := range r.plain {
		if c != nil {
			return c.fd
		}
	}
	return -1
}

// decide writes the route of each flow to routes.
func (r *router) decide(flows []packet.RouteQuery, routes []packet.Route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("rawsock: routes: %w", net.ErrClosed)
	}
	index, err := r.interfaceIndex()
	if err != nil {
		return err
	}
	for i := range flows {
		if target := flows[i].Target; target.IsLinkLocalUnicast() && target.Is6() && index == 0 {
			return &unroutable{text: fmt.Sprintf("%v is a link-local address: name the interface that it is on (--interface)", target), errno: unix.EINVAL}
		}
	}
	if r.table == nil {
		return r.decideByConnecting(flows, routes, index)
	}
	return r.decideByTable(flows, routes, index)
}

// decideByConnecting serves hosts that refuse netlink. Protocol and ports do
// not count, and neither does what the packets' own lookup will say.
func (r *router) decideByConnecting(flows []packet.RouteQuery, routes []packet.Route, index int) error {
	for i := range flows {
		f := &flows[i]
		if i > 0 && flows[i-1].Target == f.Target {
			routes[i] = routes[i-1]
			continue
		}
		family := familyIndex(f.Target)
		configured := r.configured(family == 1)
		if configured.IsValid() {
			// The kernel looks only while a socket is being bound.
			if err := r.bindable([...]int{unix.AF_INET, unix.AF_INET6}[family], configured); err != nil {
				return err
			}
		}
		source, err := r.plain[family].source(f.Target, discardPort, index)
		if err != nil {
			return err
		}
		if configured.IsValid() {
			source = configured
		}
		if err := reachable(f.Target, source); err != nil {
			return err
		}
		routes[i] = packet.Route{Source: source, Interface: index}
	}
	return nil
}

// discardPort is any port that connect takes.
const discardPort = 9

// bindable reports an error unless a socket can be bound to source.
func (r *router) bindable(domain int, source netip.Addr) error {
	fd, err := r.options.socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("rawsock: source address: %w", err)
	}
	// The interface first: an address of a VRF is the host's only within it.
	err = bindInterface(fd, r.options.Interface)
	if err == nil {
		err = bindSource(fd, r.options.Interface, source)
	}
	return errors.Join(err, unix.Close(fd))
}

func familyIndex(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}

// unroutable says why packets cannot be sent to a target, in words that the
// system's error number has not.
type unroutable struct {
	text  string
	errno syscall.Errno
}

func (e *unroutable) Error() string { return "rawsock: " + e.text }
func (e *unroutable) Unwrap() error { return e.errno }

func noRoute(target netip.Addr, err error) error {
	return fmt.Errorf("rawsock: no route to %v: %w", target, err)
}

// reachable reports an error when no answer from target could come back to
// source. To the kernel a link-local address is better than none, as while the
// host's real address is being tested (RFC 4862 section 5.4).
func reachable(target, source netip.Addr) error {
	if !source.IsValid() || source.Is6() && confined(source) && !confined(target) && source != target {
		return &unroutable{text: fmt.Sprintf("no address to reach %v from: it is not on the link, and the source could only be a link-local or tentative address", target), errno: unix.EADDRNOTAVAIL}
	}
	return nil
}

// confined reports whether an address means something on one link or host
// only (RFC 4007 section 4).
func confined(a netip.Addr) bool { return a.IsLoopback() || a.IsLinkLocalUnicast() }

// close frees the sockets. Further calls do nothing.
func (r *router) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	errs := []error{r.table.close()}
	for family := range r.plain {
		errs = append(errs, r.plain[family].close(), r.gre[family].close())
	}
	return errors.Join(errs...)
}
