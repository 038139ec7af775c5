package netsim_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim"
)

// inNamespace puts the test's goroutine and its thread into a network
// namespace of its own, which ends with the test.
func inNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes a network namespace and a TUN device")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("needs TUN devices: %v", err)
	}
	runtime.LockOSThread() // never unlocked if the way back fails: the thread ends with the test
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	inside, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(netns.Set(before), inside.Close(), before.Close()); err != nil {
			t.Errorf("leaving the namespace: %v", err)
			return
		}
		runtime.UnlockOSThread()
	})
}

func openTUN(t *testing.T, s *netsim.Scenario) *netsim.Network {
	t.Helper()
	network := newNetwork(t, s)
	tun, err := netsim.OpenTUN("probe0", network)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tun.Close(); err != nil {
			t.Error(err)
		}
	})
	return network
}

// pinger sends crafted probes and receives ICMP, both over raw sockets, with
// the kernel's receive stamps.
type pinger struct {
	t             *testing.T
	ipv6          bool
	out, in       int
	buffer, extra []byte
}

func newPinger(t *testing.T, ipv6 bool) *pinger {
	t.Helper()
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if ipv6 {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	p := &pinger{t: t, ipv6: ipv6, buffer: make([]byte, 2048), extra: make([]byte, 256)}
	for _, s := range []struct{ fd, protocol *int }{{&p.out, new(unix.IPPROTO_RAW)}, {&p.in, &protocol}} {
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, *s.protocol)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		*s.fd = fd
	}
	err := errors.Join(
		unix.SetsockoptInt(p.in, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(p.in, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pinger) send(b []byte) {
	p.t.Helper()
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: target.For(false).As4()}
	if p.ipv6 {
		to = &unix.SockaddrInet6{Addr: target.For(true).As16()}
	}
	if err := unix.Sendto(p.out, b, 0, to); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next ICMP message that is not an echo request of our
// own or neighbour discovery, its sender and its time.
func (p *pinger) receive() (message []byte, from netip.Addr, at time.Time) {
	p.t.Helper()
	for {
		n, extra, _, sender, err := unix.Recvmsg(p.in, p.buffer, p.extra, 0)
		if err != nil {
			p.t.Fatal(err)
		}
		message = p.buffer[:n]
		switch sender := sender.(type) {
		case *unix.SockaddrInet4:
			from, message = netip.AddrFrom4(sender.Addr), message[20:]
		case *unix.SockaddrInet6:
			from = netip.AddrFrom16(sender.Addr)
		}
		if from == source.For(p.ipv6) || from.IsLinkLocalUnicast() {
			continue
		}
		controls, err := unix.ParseSocketControlMessage(p.extra[:extra])
		if err != nil || len(controls) != 1 {
			p.t.Fatalf("%d control messages: %v", len(controls), err)
		}
		data := controls[0].Data
		return message, from, time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
	}
}

// The path that benchmarks run on: 12 routers and the target at 80 ms. The
// error of the delay is reported; how large it may be depends on what else
// the machine does.
func TestTUNDelay(t *testing.T) {
	const rounds, burst, rtt = 12, 1, 80 * ms
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after all other cleaning up
	inNamespace(t)
	openTUN(t, netsim.Chain(12, rtt))
	// No subtests: they would run on threads outside of the namespace.
	for _, ipv6 := range []bool{false, true} {
		p := newPinger(t, ipv6)
		var late []time.Duration
		for round := range rounds {
			late = append(late, p.burst(uint16(round), burst)...)
		}
		slices.Sort(late)
		for i := range late {
			late[i] -= rtt
		}
		if late[0] < 0 {
			t.Errorf("an answer came %v too early", -late[0])
		}
		t.Logf("IPv6 %v: delay error over %d answers: min %v, median %v, p99 %v, max %v", ipv6,
			len(late), late[0], late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
	}
}

// burst sends echo requests at once and returns their round trips.
func (p *pinger) burst(id uint16, n int) []time.Duration {
	p.t.Helper()
	var sent []time.Time
	var probes [][]byte
	for i := range n {
		probes = append(probes, probe{kind: "icmp", ttl: 64, flow: id, seq: uint16(i)}.bytes(p.t, p.ipv6))
	}
	for i := range n {
		sent = append(sent, time.Now())
		p.send(probes[i])
	}
	trips := make([]time.Duration, n)
	for range n {
		message, from, at := p.receive()
		seq := int(binary.BigEndian.Uint16(message[6:]))
		if from != target.For(p.ipv6) || seq >= n || trips[seq] != 0 {
			p.t.Fatalf("answer from %v to request %d", from, seq)
		}
		trips[seq] = at.Sub(sent[seq])
	}
	return trips
}

// Real sockets see what the scenario says.
func TestTUNAnswers(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after all other cleaning up
	inNamespace(t)
	scenario := netsim.Chain(3, 4*ms)
	scenario.Hops[1].MPLS = []netsim.Label{{Label: 77}}
	scenario.Target.UDP.Open = []uint16{7}
	openTUN(t, scenario)
	for _, ipv6 := range []bool{false, true} {
		p := newPinger(t, ipv6)
		for ttl, want := range map[uint8]netsim.Address{1: netsim.N(1), 2: netsim.N(2), 3: netsim.N(3), 4: target} {
			for _, kind := range []string{"icmp", "udp"} {
				p.send(probe{kind: kind, ttl: ttl}.bytes(t, ipv6))
				if _, from, _ := p.receive(); from != want.For(ipv6) {
					t.Errorf("%s TTL %d answered by %v, want %v", kind, ttl, from, want.For(ipv6))
				}
			}
		}
		checkKernelSockets(t, target.For(ipv6))
	}
}

// checkKernelSockets has the kernel's own TCP and UDP talk to the target. The
// target keeps no connections, so that it resets the one that it has accepted
// as soon as the handshake is over. Whether that comes before or after Connect
// returns hangs on the scheduler; a port that is not open would refuse instead.
func checkKernelSockets(t *testing.T, target netip.Addr) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(target, 80).String(), 5*time.Second)
	if err == nil {
		err = conn.Close()
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("open port: %v", err)
	}
	if _, err := net.DialTimeout("tcp", netip.AddrPortFrom(target, 81).String(), 5*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed port: %v, want ECONNREFUSED", err)
	}
	if got, err := ask(target, 7); string(got) != "hello" || err != nil {
		t.Errorf("open UDP port answered %q: %v", got, err)
	}
	if _, err := ask(target, 9); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed UDP port: %v, want ECONNREFUSED", err)
	}
}

func ask(target netip.Addr, port uint16) ([]byte, error) {
	conn, err := net.Dial("udp", netip.AddrPortFrom(target, port).String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return nil, err
	}
	answer := make([]byte, 100)
	n, err := conn.Read(answer)
	return answer[:n], err
}

// Devices come and go with their TUN.
func TestTUNDevice(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	inNamespace(t)
	tun, err := netsim.OpenTUN("probe0", newNetwork(t, netsim.Chain(1, ms)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := netsim.OpenTUN("probe0", newNetwork(t, netsim.Chain(1, ms))); !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EEXIST) {
		t.Errorf("a second device of the same name: %v", err)
	}
	if err := tun.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.InterfaceByName("probe0"); err == nil {
		t.Error("the device is still there")
	}
}
