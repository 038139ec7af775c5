//go:build linux

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// nameServerAddress is on the loopback of a lab's host.
const nameServerAddress = "127.0.0.1:53"

// nameOf is what the name servers of these tests call an address.
func nameOf(addr string) string {
	return "h" + strings.NewReplacer(".", "-", ":", "-").Replace(addr) + ".lab.example"
}

// shownAddrs are the addresses that traces of a lab show, of both families.
func shownAddrs(lab *kernel.Lab) (addrs []netip.Addr) {
	for _, ipv6 := range []bool{false, true} {
		for _, answers := range lab.Hops(ipv6, 64) {
			for _, a := range answers {
				addrs = append(addrs, a.From)
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// startUnbound runs a name server on a lab's host that has a name for
// everything that traces show, and more records if given, and asks nobody. kill ends it; the end of the
// test does, too.
func startUnbound(t *testing.T, lab *kernel.Lab, records ...string) (process *os.Process, kill func()) {
	t.Helper()
	program := kerneltest.Program(t, "unbound", "unbound")
	conf := filepath.Join(t.TempDir(), "unbound.conf")
	var b strings.Builder
	fmt.Fprintf(&b, `server:
	interface: 127.0.0.1
	directory: %q
	pidfile: ""
	username: ""
	chroot: ""
	logfile: ""
	use-syslog: no
	do-daemonize: no
	verbosity: 1
	module-config: "iterator"
	local-zone: "." refuse
remote-control:
	control-enable: no
server:
`, filepath.Dir(conf))
	for _, addr := range shownAddrs(lab) {
		fmt.Fprintf(&b, "\tlocal-data-ptr: \"%v 3600 %s\"\n", addr, nameOf(addr.String()))
	}
	for _, record := range records {
		fmt.Fprintf(&b, "\tlocal-data: '%s'\n", record)
	}
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := lab.Command(context.Background(), program, "-d", "-c", conf)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(kill)
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "start of service") {
			return cmd.Process, kill
		}
	}
	t.Fatalf("unbound did not start:\n%s", said.String())
	return nil, nil
}

// heldNames is a name server that keeps its answers back until it is told. It
// knows names of IPv4 addresses, and one address, and drops other questions.
type heldNames struct {
	conn net.PacketConn
	four netip.Addr // of every name

	mu    sync.Mutex
	held  []func() // answers
	asked int
	free  bool
}

func startHeldNames(t *testing.T, lab *kernel.Lab, four netip.Addr) *heldNames {
	t.Helper()
	s := &heldNames{four: four}
	on(t, lab.Host, func() (err error) { s.conn, err = net.ListenPacket("udp", nameServerAddress); return err })
	var serving sync.WaitGroup
	serving.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := s.conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var message dnsmessage.Message
			if message.Unpack(buffer[:n]) == nil {
				s.hold(func() { s.answer(message, from) })
			}
		}
	})
	t.Cleanup(func() { s.conn.Close(); serving.Wait() })
	return s
}

func (s *heldNames) hold(answer func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.free {
		answer()
	} else {
		s.held = append(s.held, answer)
	}
}

// release lets go of all answers, those to come too.
func (s *heldNames) release() (asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = true
	for _, answer := range s.held {
		answer()
	}
	return s.asked
}

func (s *heldNames) answer(m dnsmessage.Message, to net.Addr) {
	question := m.Questions[0]
	var body dnsmessage.ResourceBody
	switch {
	case question.Type == dnsmessage.TypePTR:
		octets := strings.Split(strings.TrimSuffix(question.Name.String(), ".in-addr.arpa."), ".")
		slices.Reverse(octets)
		body = &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(nameOf(strings.Join(octets, ".")) + ".")}
	case question.Type == dnsmessage.TypeA && s.four.IsValid():
		body = &dnsmessage.AResource{A: s.four.As4()}
	default:
		return
	}
	m.Response, m.RecursionAvailable = true, true
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 3600},
		Body:   body,
	}}
	if packed, err := m.Pack(); err == nil {
		s.conn.WriteTo(packed, to)
	}
}
