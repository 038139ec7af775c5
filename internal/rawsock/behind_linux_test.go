package rawsock

import (
	"runtime"
	"testing"

	"probe-agent/packet"
)

// TestBehind: a queue is behind from when a packet arrives until whoever took
// it comes back and waits.
func TestBehind(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		l := newLab(t)
		probe := trial{from: l.near4, to: l.far4}
		if v6 {
			probe = trial{from: l.near6, to: l.far6}
		}
		transport := open(t, Options{})
		receiver := transport.Receivers()[0] // of ICMP
		if v6 {
			receiver = transport.Receivers()[len(transport.Receivers())/2]
		}
		turn, taken := make(chan struct{}), make(chan error)
		go func() {
			into := make([]packet.Incoming, 1)
			for range turn {
				_, err := receiver.Receive(into)
				taken <- err
			}
		}()
		waits := func() {
			turn <- struct{}{}
			for receiver.Behind() {
				runtime.Gosched()
			}
		}
		if !receiver.Behind() {
			t.Error("before anybody waits: not behind")
		}
		waits()
		for range 3 {
			sendAll(t, transport, packet.Outgoing{Bytes: probe.icmp(t, 8, 128)})
			check(t, <-taken)
			if !receiver.Behind() {
				t.Error("a packet was taken, and nobody waits: not behind")
			}
			waits()
		}
		sendAll(t, transport, packet.Outgoing{Bytes: probe.icmp(t, 8, 128)}) // its answer is there when this returns
		if !receiver.Behind() {
			t.Error("a packet has arrived: not behind")
		}
		check(t, <-taken)
		close(turn)
	}
}
