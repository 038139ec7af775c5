package rawsock

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

func TestPortsHeld(t *testing.T) {
	newLab(t)
	for name, socket := range map[string]func(int, int, int) (int, error){"both families": unix.Socket, "IPv4 only": without(unix.AF_INET6)} {
		near := open(t, Options{Ports: 10, socket: socket})
		ports := near.Ports()
		if len(ports) != 10 || len(open(t, Options{}).Ports()) != DefaultPorts {
			t.Fatalf("%s: %d ports", name, len(ports))
		}
		for _, port := range ports {
			for _, host := range []string{"192.0.2.1", "0.0.0.0", "[2001:db8::1]", "[::]"} {
				if socketless := name == "IPv4 only" && host[0] == '['; socketless {
					continue
				}
				address := fmt.Sprintf("%s:%d", host, port)
				if listener, err := net.Listen("tcp", address); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("%s: TCP %s: %v, want EADDRINUSE", name, address, err)
					if err == nil {
						check(t, listener.Close())
					}
				}
				if conn, err := net.ListenPacket("udp", address); !errors.Is(err, syscall.EADDRINUSE) {
					t.Errorf("%s: UDP %s: %v, want EADDRINUSE", name, address, err)
					if err == nil {
						check(t, conn.Close())
					}
				}
			}
		}
	}
}

// No connection gets a held port, even when there is nearly no other.
func TestPortsNotForConnections(t *testing.T) {
	newLab(t)
	near := open(t, Options{})
	ports := near.Ports()
	spare := ports[0] - 1
	write(t, "/proc/sys/net/ipv4/ip_local_port_range", fmt.Sprintf("%d %d", spare, ports[len(ports)-1]))
	for _, local := range []string{"192.0.2.1:0", "[2001:db8::1]:0"} {
		for _, network := range []string{"tcp", "udp"} {
			var got int
			switch network {
			case "tcp":
				listener, err := net.Listen(network, local)
				check(t, err)
				got = listener.Addr().(*net.TCPAddr).Port
				check(t, listener.Close())
			case "udp":
				conn, err := net.ListenPacket(network, local)
				check(t, err)
				got = conn.LocalAddr().(*net.UDPAddr).Port
				check(t, conn.Close())
			}
			if got != int(spare) {
				t.Errorf("%s %s got port %d, want the spare %d", network, local, got, spare)
			}
		}
	}
}

// When ports are taken the next range is tried, and with all of them taken
// there is a clear error.
func TestPortsTaken(t *testing.T) {
	newLab(t)
	taken := func(times int) func(domain, kind, protocol int) (int, error) {
		return func(domain, kind, protocol int) (int, error) {
			if kind&0xf == unix.SOCK_STREAM && times > 0 {
				times--
				return -1, unix.EADDRINUSE
			}
			return unix.Socket(domain, kind, protocol)
		}
	}
	if got := len(open(t, Options{socket: taken(40)}).Ports()); got != DefaultPorts {
		t.Errorf("%d ports, want %d", got, DefaultPorts)
	}
	before := descriptors(t)
	_, err := Open(Options{socket: taken(1 << 20)})
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "ranges of 16 ports is free") {
		t.Errorf("error %v, want one that says that no range is free", err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// An answer to a held UDP port is not refused by this host, and a SYN-ACK to
// a held TCP port is reset.
func TestPortsAnswer(t *testing.T) {
	l := newLab(t)
	near := open(t, Options{})
	var far *Transport
	l.onFar(t, func() { far = open(t, Options{}) })
	arrivals := listen(t, far)
	for _, p := range []trial{{from: l.far4, to: l.near4}, {from: l.far6, to: l.near6}} {
		ours, theirs := near.Ports()[1], far.Ports()[2]
		sendAll(t, far, packet.Outgoing{Bytes: p.udp(t, theirs, ours)}, packet.Outgoing{Bytes: p.tcp(t, theirs, ours, "SA")})
		if got := next(t, arrivals); got.Protocol != protocolTCP {
			t.Errorf("%v: first answer is of protocol %d, want a TCP reset", p.to, got.Protocol)
		}
	}
	for _, fd := range near.ports.sockets {
		info, err := memory(uintptr(fd))
		check(t, err)
		if info[unix.SK_MEMINFO_RMEM_ALLOC] != 0 {
			t.Errorf("%d bytes pile up in the socket that holds a port", info[unix.SK_MEMINFO_RMEM_ALLOC])
		}
	}
}

// Ports that the system reserves for services are not held, and when most are
// reserved, fewer are held.
func TestPortsReserved(t *testing.T) {
	newLab(t)
	const reserved = "/proc/sys/net/ipv4/ip_local_reserved_ports"
	for _, c := range []struct {
		reserved    string
		first, want int
	}{
		{"8080,16384-64511", 64512, DefaultPorts},
		{"1024-64511,64600,64700-65535", 64512, 64},
	} {
		write(t, reserved, c.reserved)
		transport := open(t, Options{})
		ports := transport.Ports()
		check(t, transport.Close())
		if len(ports) != c.want || int(ports[0]) < c.first || ports[0] <= 64600 && 64600 <= ports[len(ports)-1] && c.want == 64 {
			t.Errorf("%s: %d ports from %d", c.reserved, len(ports), ports[0])
		}
	}
	write(t, reserved, "1-65535")
	if _, err := Open(Options{}); err == nil || !strings.Contains(err.Error(), "ip_local_reserved_ports") {
		t.Errorf("all reserved: error %v", err)
	}
}
