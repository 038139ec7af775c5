package rawsock

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// asProtocol254 is socket(2) where sending sockets are of protocol 254, for
// which any kernel takes ICMP errors, as older ones do for 255.
func asProtocol254(domain, kind, protocol int) (int, error) {
	if protocol == unix.IPPROTO_RAW && domain != unix.AF_NETLINK && domain != unix.AF_UNIX && kind&0xf == unix.SOCK_RAW {
		protocol = 254
	}
	return unix.Socket(domain, kind, protocol)
}

// An ICMP error that quotes the sending socket's protocol fails no packet and
// costs no stamp, however many come; a real refusal among them is one.
func TestForeignErrors(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			near := open(t, Options{socket: asProtocol254, stamps: mode, Lanes: 1})
			var far *Transport
			l.onFar(t, func() { far = open(t, Options{}) })
			if !near.Status().TakesForeignErrors {
				t.Fatal("the kernel takes no ICMP errors for protocol 254")
			}
			for i, c := range []struct{ probe, lost, forged trial }{
				{trial{from: l.near4, to: l.far4}, trial{from: l.near4, to: elsewhere4}, trial{from: l.far4, to: l.near4}},
				{trial{from: l.near6, to: l.far6}, trial{from: l.near6, to: elsewhere6}, trial{from: l.far6, to: l.near6}},
			} {
				before := near.Status().ForeignErrors
				if before != 0 && i == 0 {
					t.Errorf("%d foreign errors at the start", before)
				}
				probe := packet.Outgoing{Bytes: c.probe.udp(t, 1, 9), TxID: 1}
				quote := append([]byte{}, probe.Bytes...)
				quote[[...]int{9, 6}[i]] = 254
				c.forged.payload = quote
				forged := packet.Outgoing{Bytes: c.forged.icmp(t, 3, 1)}
				refused := 0
				for range 100 {
					sendAll(t, far, forged, forged)
					sendAll(t, near, probe, probe)
					if n := len(stampsOf(near)); mode != stampNone && n != 2 {
						t.Fatalf("%d stamps for 2 packets", n)
					}
					sendAll(t, far, forged)
					if sent, err := near.Senders()[0].Send([]packet.Outgoing{{Bytes: c.lost.udp(t, 1, 9)}}); sent == 0 && errors.Is(err, unix.ENETUNREACH) {
						refused++
					}
				}
				if refused != 100 {
					t.Errorf("%v: %d of 100 packets without a route were refused", c.probe.to, refused)
				}
				// The kernel merges none of them, but may deliver them late.
				if got := near.Status().ForeignErrors - before; got < 100 || got > 300 {
					t.Errorf("%v: %d foreign errors counted, 300 were sent", c.probe.to, got)
				}
			}
			if status := open(t, Options{stamps: mode}).Status(); status.ForeignErrors != 0 {
				t.Errorf("protocol 255: %d foreign errors at the start", status.ForeignErrors)
			}
		})
	}
}
