package rawsock

import (
	"errors"
	"net"
	"testing"
	"time"

	"probe-agent/packet"
)

// Close wakes every receiver, whether it waits or is about to, and nothing
// stays open.
func TestClose(t *testing.T) {
	l := newLab(t)
	before := descriptors(t)
	transport, err := Open(Options{})
	check(t, err)
	results := make(chan error, len(transport.Receivers()))
	for queue := range transport.Receivers() {
		go func() {
			into := make([]packet.Incoming, 1)
			for {
				if _, err := transport.Receivers()[queue].Receive(into); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	// One answer proves that at least one receiver runs.
	sendAll(t, transport, packet.Outgoing{Bytes: trial{from: l.near4, to: l.far4}.icmp(t, 8, 128), TxID: 1})
	check(t, transport.Close())
	for range transport.Receivers() {
		select {
		case err := <-results:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("receiver woke with %v, want net.ErrClosed", err)
			}
		case <-time.After(patience):
			t.Fatal("a receiver still waits")
		}
	}
	check(t, transport.Close())
	if _, err := transport.Receivers()[0].Receive(make([]packet.Incoming, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("receive after close: %v, want net.ErrClosed", err)
	}
	if n := transport.Stamps(make([]packet.Stamp, 1)); n != 0 {
		t.Errorf("%d stamps after close", n)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// Stamps and Status are for any goroutine, at any time.
func TestConcurrentUse(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			near := openStamping(t, mode)
			packets := l.numbered(t, 9, 2000)
			stop := make(chan struct{})
			counts := make(chan int)
			for range 2 {
				go func() {
					n, into := 0, make([]packet.Stamp, 7)
					for {
						n += near.Stamps(into)
						near.Status()
						select {
						case <-stop:
							counts <- n
							return
						default:
						}
					}
				}()
			}
			sendAll(t, near, packets...)
			close(stop)
			if n := <-counts + <-counts + len(stampsOf(near)); n != len(packets) {
				t.Errorf("%d stamps for %d packets", n, len(packets))
			}
		})
	}
}
