package prober_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// starved is a network in memory whose host gives this process no time for what
// it receives, until a moment.
type starved struct {
	*netsim.Memory
	until  time.Time
	engine *prober.Engine // set before the first trace
}

// Receivers implements prober.Transport.
func (s *starved) Receivers() []packet.Receiver {
	receivers := s.Memory.Receivers()
	for i, r := range receivers {
		receivers[i] = &starvedReceiver{Receiver: r, host: s}
	}
	return receivers
}

// starvedReceiver is one of its queues.
type starvedReceiver struct {
	packet.Receiver
	host *starved
	held atomic.Bool
}

// Receive implements packet.Receiver.
func (r *starvedReceiver) Receive(into []packet.Incoming) (int, error) {
	n, err := r.Receiver.Receive(into)
	r.held.Store(true)
	time.Sleep(time.Until(r.host.until))
	r.held.Store(false)
	return n, err
}

// Behind implements packet.Receiver. It asks for the engine's lock, as anybody
// may: system calls are not made under it.
func (r *starvedReceiver) Behind() bool {
	if r.host.engine != nil {
		r.host.engine.Totals()
	}
	return r.held.Load() || r.Receiver.Behind()
}

// TestStarvedReceiver: an answer that arrived within the wait is one, however
// late it is read, and its RTT is that of its arrival; one that arrived later is
// none, read at the same moment.
func TestStarvedReceiver(t *testing.T) {
	const wait = time.Second
	for _, c := range []struct {
		name       string
		away       time.Duration // the target; a router is half as far
		until      time.Duration // when answers are read again
		lost, late int
		took       time.Duration // by the trace, at least; it takes no 10 ms more
	}{
		{"read at once", 300 * time.Millisecond, 0, 0, 0, 300 * time.Millisecond},
		{"read within the wait", 300 * time.Millisecond, 900 * time.Millisecond, 0, 0, 900 * time.Millisecond},
		{"read after the wait", 900 * time.Millisecond, 1500 * time.Millisecond, 0, 0, 1500 * time.Millisecond},
		{"arrived after the wait", 1200 * time.Millisecond, 1500 * time.Millisecond, 1, 1, 1500 * time.Millisecond},
		{"never read", 300 * time.Millisecond, time.Hour, 2, 0, wait + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := netsim.Chain(1, c.away)
				network, err := netsim.New(s)
				if err != nil {
					t.Fatal(err)
				}
				transport := &starved{Memory: netsim.NewMemory(network, network.Host()), until: time.Now().Add(c.until)}
				engine := startEngine(t, transport)
				transport.engine = engine
				started := time.Now()
				result, err := engine.Trace(t.Context(), traceroute.Spec{
					Target: netsim.N(65281).For(false), MaxTTL: 2, PacketsPerTTL: 1, Wait: wait,
				}, prober.Feed{})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(started); took < c.took || took > c.took+10*time.Millisecond {
					t.Errorf("took %v, want %v", took, c.took)
				}
				lost := 0
				for _, p := range result.Probes {
					if p.Answer == nil {
						lost++
					} else if want := c.away * time.Duration(p.TTL) / 2; p.Answer.RTT != want {
						t.Errorf("TTL %d: RTT %v, want %v", p.TTL, p.Answer.RTT, want)
					}
				}
				if lost != c.lost || result.Counts.Late != c.late {
					t.Errorf("%d lost, %d late; want %d, %d", lost, result.Counts.Late, c.lost, c.late)
				}
			})
		})
	}
}

// stopped is a network in memory whose process is stopped in one of its Sends,
// before or after the packets have left, until the receivers go on as well, or
// a little earlier.
type stopped struct {
	starved
	at    int32 // the Send, from 1 on
	after bool
	sends atomic.Int32
}

// Senders implements prober.Transport.
func (s *stopped) Senders() []packet.Sender { return []packet.Sender{s} }

// Send implements packet.Sender.
func (s *stopped) Send(packets []packet.Outgoing) (int, error) {
	here := s.sends.Add(1) == s.at
	if here && !s.after {
		time.Sleep(time.Until(s.until.Add(-time.Microsecond)))
	}
	n, err := s.Memory.Send(packets)
	if here && s.after {
		time.Sleep(time.Until(s.until.Add(-time.Microsecond)))
	}
	return n, err
}

// TestStoppedProcess: for a process that is stopped in mid-trace, answers that
// arrived meanwhile and within their wait count, what it was about to send is
// sent and waited for afterwards, and silence during the stop is none.
func TestStoppedProcess(t *testing.T) {
	const rtt, stop = 600 * time.Millisecond, 2500 * time.Millisecond
	for _, c := range []struct {
		name    string
		routers int
		spec    traceroute.Spec
		at      int32
		after   bool
		most    time.Duration
	}{
		{"about to send", 5, traceroute.Spec{MaxTTL: 30}, 2, false, stop + 2*rtt},
		{"all is sent", 1, traceroute.Spec{MaxTTL: 2, PacketsPerTTL: 1}, 1, true, stop + 10*time.Millisecond},
	} {
		for _, method := range []traceroute.Method{traceroute.ICMP, traceroute.TCP, traceroute.UDP, traceroute.GRE, traceroute.GREICMP} {
			t.Run(c.name+"/"+method.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network, err := netsim.New(netsim.Chain(c.routers, rtt))
					if err != nil {
						t.Fatal(err)
					}
					transport := &stopped{at: c.at, after: c.after, starved: starved{
						Memory: netsim.NewMemory(network, network.Host()), until: time.Now().Add(stop),
					}}
					spec := c.spec
					spec.Target, spec.Method, spec.Wait = netsim.N(65281).For(false), method, time.Second
					result, err := startEngine(t, transport).Trace(t.Context(), spec, prober.Feed{})
					if err != nil {
						t.Fatal(err)
					}
					if result.Duration > c.most || result.Stop != traceroute.Reached {
						t.Errorf("%v after %v, want it reached within %v", result.Stop, result.Duration, c.most)
					}
					for _, p := range result.Probes {
						if want := rtt * time.Duration(p.TTL) / time.Duration(c.routers+1); p.Answer == nil {
							t.Errorf("TTL %d: a probe of %v is lost", p.TTL, p.Sent)
						} else if p.Answer.RTT != want {
							t.Errorf("TTL %d: RTT %v, want %v", p.TTL, p.Answer.RTT, want)
						}
					}
					most := 19
					if method == traceroute.GREICMP {
						most *= 2
					}
					if result.Counts.Late != 0 || result.Counts.Beyond > most {
						t.Errorf("counts %+v", result.Counts)
					}
				})
			})
		}
	}
}
