package hostaddr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// rereadEvery is how often the addresses are read without any sign that they
// have changed: signs can get lost, and not every system gives them.
const rereadEvery = 30 * time.Second

// List returns the addresses of all interfaces, each once, with the lengths of
// their networks, in order.
func List() ([]netip.Prefix, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, explain(err)
	}
	addrs := make([]netip.Prefix, 0, len(found))
	for _, a := range found {
		network, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(network.IP)
		if !ok {
			continue
		}
		bits, _ := network.Mask.Size()
		addrs = append(addrs, netip.PrefixFrom(addr.Unmap(), bits))
	}
	slices.SortFunc(addrs, netip.Prefix.Compare)
	return slices.Compact(addrs), nil
}

// explain says what to do about an error that comes of a refused socket: the
// addresses are read by netlink.
func explain(err error) error {
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("hostaddr: reading this host's addresses needs a netlink socket, and that is refused: "+
			"add AF_NETLINK to RestrictAddressFamilies= of the systemd unit, or allow socket(AF_NETLINK) in the seccomp profile: %w", err)
	}
	return fmt.Errorf("hostaddr: %w", err)
}

// Broadcast reports whether addr is the broadcast address of a network that a
// host with the addresses addrs is in, and not an address of its own, and
// returns that network. Networks of two addresses have none (RFC 3021).
func Broadcast(addr netip.Addr, addrs []netip.Prefix) (netip.Prefix, bool) {
	var found netip.Prefix
	for _, own := range addrs {
		switch {
		case own.Addr() == addr:
			return netip.Prefix{}, false
		case addr.Is4() && own.Contains(addr) && own.Bits() <= 30 && own.Bits() > 0:
			octets := addr.As4()
			host := ^uint32(0) >> own.Bits()
			if binary.BigEndian.Uint32(octets[:])&host == host {
				found = own.Masked()
			}
		}
	}
	return found, found.IsValid()
}

// Watcher follows the addresses. It holds a socket from Open to Close.
type Watcher struct {
	addrs []netip.Prefix
	await func() bool // for a sign of change; nil where the system gives none
	end   func()
}

// Open reads the addresses, and asks the system to say when they change. The
// caller must Close the Watcher.
func Open() (*Watcher, error) {
	w := &Watcher{end: func() {}}
	// Before the reading, so that nothing falls between.
	if await, end, err := subscribe(); err == nil {
		w.await, w.end = await, end
	}
	var err error
	if w.addrs, err = List(); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// Addrs returns the addresses as they were at Open.
func (w *Watcher) Addrs() []netip.Prefix { return w.addrs }

// Close frees the socket. Calling it again does nothing.
func (w *Watcher) Close() { w.end() }

// Watch calls changed each time the addresses have changed since Open: at once
// where the system tells, within half a minute elsewhere. It calls it with an
// error when they cannot be read; then those told before may still be right. It
// returns when ctx ends, and closes the Watcher. It is called once.
func (w *Watcher) Watch(ctx context.Context, changed func([]netip.Prefix, error)) {
	signs := make(chan struct{}, 1)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer w.Close()
	if w.await != nil {
		reader.Go(func() {
			for w.await() {
				select {
				case signs <- struct{}{}:
				default: // one is waiting, and the reading is still to come
				}
			}
		})
	}
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	last := w.addrs
	for {
		select {
		case <-ctx.Done():
			return
		case <-signs:
		case <-tick.C:
		}
		addrs, err := List()
		if err != nil {
			changed(nil, err)
		} else if !slices.Equal(addrs, last) {
			changed(addrs, nil)
			last = addrs
		}
	}
}
