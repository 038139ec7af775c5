package compat

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// wire sees what arrives at one IPv4 address of this host over one protocol.
type wire struct {
	protocol string
	conn     syscall.RawConn
}

// tapWire listens on address for one of icmp, tcp, udp and gre.
func tapWire(t *testing.T, protocol, address string) wire {
	t.Helper()
	conn, err := net.ListenIP("ip4:"+map[string]string{"icmp": "1", "tcp": "6", "udp": "17", "gre": "47"}[protocol], &net.IPAddr{IP: net.ParseIP(address)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return wire{protocol, raw}
}

// probes returns of every probe that has arrived by now its number: the
// destination port of TCP and UDP, the sequence number of ICMP, 0 for GRE.
func (w wire) probes(t *testing.T) []int {
	t.Helper()
	var numbers []int
	var failed error
	err := w.conn.Read(func(fd uintptr) bool {
		for {
			packet := make([]byte, 2048)
			n, _, err := syscall.Recvfrom(int(fd), packet, syscall.MSG_DONTWAIT)
			if err != nil {
				if !errors.Is(err, syscall.EAGAIN) {
					failed = err
				}
				return true
			}
			header := int(packet[0]&0xf) * 4
			if number, ok := w.number(packet[header:n]); ok {
				numbers = append(numbers, number)
			}
		}
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return numbers
}

func (w wire) number(packet []byte) (number int, ok bool) {
	word := func(at int) int { return int(packet[at])<<8 | int(packet[at+1]) }
	switch w.protocol {
	case "icmp":
		return word(6), packet[0] == 8 // echo request
	case "tcp":
		return word(2), packet[13]&0x3f == 0x02 // SYN alone
	case "udp":
		return word(2), true
	}
	return 0, true
}
