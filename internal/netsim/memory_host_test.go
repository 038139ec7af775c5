package netsim_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
)

func TestMemorySendFaults(t *testing.T) {
	scenario, err := netsim.Parse("faults.yaml", []byte(`
hops: {delay: 1ms}
host:
  mtu: 100
  send_faults:
    - {error: EAGAIN, nth: 2}
    - {error: EPERM, from: 1s, until: 2s}
`))
	if err != nil {
		t.Fatal(err)
	}
	inMemory(t, scenario, func(t *testing.T, m *netsim.Memory) {
		out := outgoing(t, false, echoProbe(1), echoProbe(1), echoProbe(1))
		if n, err := m.Send(out); n != 1 || !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("sent %d: %v, want 1 and EAGAIN", n, err)
		}
		mustSend(t, m, out[1:]) // the second attempt is another packet
		large := outgoing(t, false, probe{kind: "udp", ttl: 1, payload: 100})
		if n, err := m.Send(large); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("sent %d: %v, want 0 and EMSGSIZE", n, err)
		}
		time.Sleep(time.Second) // virtual
		if n, err := m.Send(out); n != 0 || !errors.Is(err, syscall.EPERM) {
			t.Errorf("sent %d: %v, want 0 and EPERM", n, err)
		}
		time.Sleep(time.Second)
		mustSend(t, m, out)
		want := netsim.MemoryCounts{Sent: 6, Refused: 3, Arrived: 3}
		if diff := cmp.Diff(want, m.Counts()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestMemoryStamps(t *testing.T) {
	scenario, err := netsim.Parse("stamps.yaml", []byte(`
host:
  transmit_stamps: {loss: 0.5, skew: 3ms, delay: 1ms}
  receive_stamps: {absent: true}
  clock_steps: {at: 1s, by: -1h}
`))
	if err != nil {
		t.Fatal(err)
	}
	inMemory(t, scenario, func(t *testing.T, m *netsim.Memory) {
		start := time.Now()
		var probes []probe
		for range 100 {
			probes = append(probes, echoProbe(1))
		}
		stamps := make([]packet.Stamp, 200)
		mustSend(t, m, outgoing(t, false, probes...))
		if n := m.Stamps(stamps); n != 0 {
			t.Errorf("%d stamps before their time", n)
		}
		time.Sleep(time.Second)
		n := m.Stamps(stamps)
		if n < 30 || n > 70 { // binomial: 50 ± 4 × 5
			t.Errorf("%d stamps of 100 at a loss of one half", n)
		}
		if want := start.Add(3 * ms).UnixNano(); stamps[0].Wall != want {
			t.Errorf("stamp %d, want %d", stamps[0].Wall, want)
		}
		if in := mustReceive(t, m, icmpV4Queue); in.Wall != 0 {
			t.Errorf("receive stamp %d, want none", in.Wall)
		}
		mustSend(t, m, outgoing(t, false, probes...))
		time.Sleep(time.Second)
		m.Stamps(stamps)
		if want := start.Add(time.Second + 3*ms - time.Hour).UnixNano(); stamps[0].Wall != want {
			t.Errorf("stamp after the step %d, want %d", stamps[0].Wall, want)
		}
	})
}

func TestMemoryOverflow(t *testing.T) {
	scenario := netsim.Chain(1, 20*ms)
	scenario.Host.Queue = 2
	inMemory(t, scenario, func(t *testing.T, m *netsim.Memory) {
		mustSend(t, m, outgoing(t, false, echoProbe(1), echoProbe(1), echoProbe(1), probe{kind: "udp", ttl: 2}))
		time.Sleep(time.Second)
		in := make([]packet.Incoming, 8)
		if n, err := m.Receivers()[icmpV4Queue].Receive(in); n != 2 || err != nil {
			t.Errorf("received %d: %v, want 2", n, err)
		}
		want := netsim.MemoryCounts{Sent: 4, Arrived: 2, Overflow: 2}
		if diff := cmp.Diff(want, m.Counts()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
