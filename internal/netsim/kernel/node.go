//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ErrClosed is returned for a node of a lab that was closed.
var ErrClosed = errors.New("kernel: lab is closed")

// Node is one namespace of a lab. It has no name in the file system and lives
// as long as the lab, a process or a socket in it.
type Node struct {
	Name string // host, r1, r2… or target
	// IPv4 and IPv6 are the node's own: the host's source addresses, those
	// that a router's ICMP errors come from, the target's first addresses.
	IPv4, IPv6 netip.Addr

	ns    netns.NsHandle
	links *netlink.Handle // only during Build
}

// Addr returns the node's address of one family.
func (n *Node) Addr(ipv6 bool) netip.Addr {
	if ipv6 {
		return n.IPv6
	}
	return n.IPv4
}

// Do runs f in the calling goroutine with its OS thread inside the namespace.
// Sockets that f opens and processes that it starts belong there for good;
// goroutines that it starts do not. Calls may be nested.
func (n *Node) Do(f func() error) error {
	if !n.ns.IsOpen() {
		return ErrClosed
	}
	return pinned(func() error {
		if err := netns.Set(n.ns); err != nil {
			return fmt.Errorf("kernel: into %s: %w", n.Name, err)
		}
		return f()
	})
}

// Path names the namespace for nsenter(1) and ip(8) while the lab is open.
func (n *Node) Path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(n.ns))
}

// Command prepares a program to run inside the namespace. It ends with the
// context; the lab does not end it.
func (n *Node) Command(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{Cmd: exec.CommandContext(ctx, name, args...), node: n}
}

// release closes what only Build needs.
func (n *Node) release() {
	if n.links != nil {
		n.links.Close()
		n.links = nil
	}
}

// Close lets go of the namespace, which ends with the last process or socket in
// it. Nodes of a Lab are closed by the Lab. To close it again is nothing.
func (n *Node) Close() error {
	n.release()
	if !n.ns.IsOpen() {
		return nil
	}
	return n.ns.Close()
}

// NewNode makes a namespace that is not wired to anything, with loopback up
// and settled parameters. The caller must Close it.
func NewNode(name string) (n *Node, err error) {
	err = pinned(func() error {
		if n, err = newNode(name); err != nil {
			return err
		}
		defer n.release()
		return errors.Join(new(plan).configure(host), n.loopback())
	})
	if err != nil && n != nil {
		err = errors.Join(err, n.Close())
	}
	return n, err
}

// newNode makes a namespace and leaves the calling thread, which must be
// pinned, in it.
func newNode(name string) (*Node, error) {
	ns, err := netns.New()
	if err != nil {
		return nil, fmt.Errorf("kernel: namespace of %s: %w", name, err)
	}
	n := &Node{Name: name, ns: ns}
	if n.links, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, errors.Join(fmt.Errorf("kernel: netlink in %s: %w", name, err), n.Close())
	}
	return n, nil
}
