//go:build linux

package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/api/envelope"
	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/internal/rawsock"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// persistent gives the daemon's client one connection that lasts.
func (d *daemon) persistent(t *testing.T) {
	t.Helper()
	transport := &http.Transport{
		DialContext: d.client.Transport.(*http.Transport).DialContext, MaxConnsPerHost: 1,
	}
	d.client = &http.Client{Timeout: patience, Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
}

// Without descriptors, the daemon traces on for those who are connected, since
// a trace needs none; a name cannot be resolved; whoever connects is answered
// as soon as there are descriptors again.
func TestDaemonWithoutDescriptors(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	d := newDaemon(t, f.Lab)
	stranger := *d
	d.persistent(t)
	f.well(t, d.ask(t, http.MethodPost, endpointPath, f.both(traceroute.ICMP, false, 5)), traceroute.ICMP, false)

	pid := d.process.Process.Pid
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	for _, ipv6 := range []bool{false, true} {
		f.well(t, d.ask(t, http.MethodPost, endpointPath, f.both(traceroute.UDP, ipv6, 5)), traceroute.UDP, ipv6)
	}
	a := d.ask(t, http.MethodPost, endpointPath, `{"targets":["host.example"]}`)
	want := []envelope.Message{{Code: 1001, Message: "den01 → host.example: the name could not be resolved"}}
	equal(t, want, a.Messages)

	answered := make(chan answer, 1)
	go func() {
		defer close(answered)
		answered <- stranger.ask(t, http.MethodPost, endpointPath, f.both(traceroute.ICMP, false, 5))
	}()
	d.await(t, func(e entry) bool {
		message, _ := e["msg"].(string)
		return strings.Contains(message, "accept4: too many open files")
	})
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	f.well(t, <-answered, traceroute.ICMP, false)
	d.client.CloseIdleConnections()
	d.client = stranger.client
	d.healthy(t)
}

// A name server that is dead costs the target with a name its trace, in time,
// and nobody else anything.
func TestDaemonDeadNameServer(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 198.18.1.77\noptions timeout:1 attempts:2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	kerneltest.Program(t, "unshare", "util-linux")
	// The files are the daemon's own, in a mount namespace.
	by := []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, conf}
	d := startDaemon(t, f.Lab, by, "--names", "direct")
	request := `{"targets":["host.example","` + f.bystander(false).String() + `"],"options":{"wait_time":5}}`
	for range 2 {
		a := d.ask(t, http.MethodPost, endpointPath, request)
		dead, other := f.entries(t, a)
		equal(t, f.hops(traceroute.ICMP, f.bystander(false), 0), rendered(t, other.Hops))
		equal(t, []envelope.Message{{Code: 1001, Message: "den01 → host.example: the name server did not answer in time"}}, a.Messages)
		if dead.Error != "Could not gather traceroute data: Code 1" || dead.TimeMS > 5_500 {
			t.Errorf("error %q after %d ms", dead.Error, dead.TimeMS)
		}
		for _, h := range other.Hops {
			if n := h.Nodes[0]; n.Name != n.IP {
				t.Errorf("a name from nowhere: %+v", n)
			}
		}
	}
}

// stalled is a transport whose first queue, IPv4's ICMP, is not read while the
// gate is shut.
type stalled struct {
	onHost
	gate chan struct{}
}

func (s stalled) Receivers() []packet.Receiver {
	receivers := s.onHost.Receivers()
	receivers[0] = stalledReceiver{receivers[0], s.gate}
	return receivers
}

type stalledReceiver struct {
	packet.Receiver
	gate chan struct{}
}

func (r stalledReceiver) Receive(into []packet.Incoming) (int, error) {
	<-r.gate
	return r.Receiver.Receive(into)
}

// What a full receive queue drops is counted, and lost to the traces whose
// answers they were; those that are answered by another queue lose nothing.
func TestReceiveQueueFull(t *testing.T) {
	f := newFork(t)
	var transport, far *rawsock.Transport
	on(t, f.Host, func() (err error) {
		transport, err = rawsock.Open(rawsock.Options{ReceiveBuffer: 64 << 10, Ports: ports})
		return err
	})
	on(t, f.Target, func() (err error) { far, err = rawsock.Open(rawsock.Options{Ports: ports}); return err })
	defer far.Close()
	gate := make(chan struct{})
	engine, err := prober.New(stalled{onHost{transport, f.Lab}, gate}, prober.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// An echo reply that answers nothing; the kernel completes the header.
	reply := make([]byte, 28)
	reply[0], reply[8], reply[9] = 0x45, 64, unix.IPPROTO_ICMP
	copy(reply[12:], f.Target.IPv4.AsSlice())
	copy(reply[16:], f.Host.IPv4.AsSlice())
	reply[22], reply[23] = 0xff, 0xff
	eventually(t, func() string {
		if transport.Status().Drops > 0 {
			return ""
		}
		for range 64 {
			if _, err := far.Senders()[0].Send([]packet.Outgoing{{Bytes: reply}}); err != nil {
				t.Fatal(err)
			}
		}
		return "nothing was dropped"
	})
	trace := func(ipv6 bool) (*traceroute.Result, error) {
		return engine.Trace(context.Background(), traceroute.Spec{Target: f.bystander(ipv6), Wait: brief}, prober.Feed{})
	}
	result, err := trace(false)
	f.lost(t, result, err)
	result, err = trace(true)
	f.unharmed(t, "IPv6", result, err)
	drops := transport.Status().Drops
	close(gate)
	if _, err = trace(false); err != nil { // its answers come behind what has gathered
		t.Error(err)
	}
	result, err = trace(false)
	f.unharmed(t, "IPv4", result, err)
	t.Logf("%d answers were dropped", drops)
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
}
