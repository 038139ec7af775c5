package prober_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// trouble is a host that refuses packets as a test says, and has one more
// receive queue, for what its own kernel sends.
type trouble struct {
	*netsim.Memory
	// refuses returns why a packet to an address is refused, nil if it is not.
	refuses func(to netip.Addr, b []byte) error
	own     chan []byte
	closed  chan struct{}
}

func newTrouble(m *netsim.Memory) *trouble {
	return &trouble{Memory: m, own: make(chan []byte, 64), closed: make(chan struct{})}
}

func (h *trouble) Senders() []packet.Sender { return []packet.Sender{h} }

func (h *trouble) Send(packets []packet.Outgoing) (int, error) {
	for i, p := range packets {
		to := netip.AddrFrom4([4]byte(p.Bytes[16:20]))
		if p.Bytes[0]>>4 == 6 {
			to = netip.AddrFrom16([16]byte(p.Bytes[24:40]))
		}
		if h.refuses == nil {
			continue
		}
		if err := h.refuses(to, p.Bytes); err != nil {
			sent, earlier := h.Memory.Send(packets[:i])
			return sent, errors.Join(earlier, err)
		}
	}
	return h.Memory.Send(packets)
}

func (h *trouble) Receivers() []packet.Receiver { return append(h.Memory.Receivers(), ownQueue{h}) }

// ownQueue receives what the host's own kernel sends.
type ownQueue struct{ *trouble }

func (h ownQueue) Behind() bool { return len(h.own) > 0 }

func (h ownQueue) Receive(into []packet.Incoming) (int, error) {
	select {
	case b := <-h.own:
		into[0] = packet.Incoming{Bytes: b, Protocol: syscall.IPPROTO_ICMP}
		return 1, nil
	case <-h.closed:
		return 0, net.ErrClosed
	}
}

func (h *trouble) Close() error {
	close(h.closed)
	return h.Memory.Close()
}

// reject has the kernel say of an IPv4 packet that it is prohibited, code 13,
// and returns when the engine has heard it.
func (h *trouble) reject(b []byte) {
	b = append([]byte(nil), b...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	said := make([]byte, 28, 28+len(b))
	said[0], said[8], said[9] = 0x45, 64, syscall.IPPROTO_ICMP
	binary.BigEndian.PutUint16(said[2:], uint16(cap(said)))
	copy(said[12:], b[12:16])
	copy(said[16:], b[12:16])
	said[20], said[21] = 3, 13
	said = append(said, b...)
	var sum uint32
	for i := 20; i < len(said); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(said[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(said[22:], ^uint16(sum))
	h.own <- said
	synctest.Wait()
}

// chains returns two chains of three routers side by side, and the addresses
// of their targets.
func chains(t *testing.T) (m *netsim.Memory, one, other netip.Addr) {
	t.Helper()
	var networks []*netsim.Network
	for i := range 2 {
		s := netsim.Chain(3, 5*time.Millisecond)
		for h := range s.Hops {
			s.Hops[h].Addresses = []netsim.Address{netsim.N(100*i + h + 1)}
		}
		s.Target.Addresses = []netsim.Address{netsim.N(100*i + 99)}
		network, err := netsim.New(s)
		if err != nil {
			t.Fatal(err)
		}
		networks = append(networks, network)
	}
	return netsim.NewMemory(netsim.Join(networks...), networks[0].Host()), netsim.N(99).For(false), netsim.N(199).For(false)
}

// whole demands that every probe of a path of three routers was answered.
func whole(t *testing.T, r *traceroute.Result, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
		return
	}
	s := stats.Summarize(r)
	if len(s.Hops) != 4 || r.Stop != traceroute.Reached {
		t.Errorf("%d hops, stop %v", len(s.Hops), r.Stop)
	}
	for _, h := range s.Hops {
		if h.Lost != 0 || h.Sent != 3 || len(h.Nodes) != 1 {
			t.Errorf("TTL %d: %+v", h.TTL, h)
		}
	}
	if c := r.Counts; c.Forged+c.Duplicates+c.Late != 0 {
		t.Errorf("counts %+v", c)
	}
}

// A way out that takes nothing ends the traces that go there, in time; those
// that go elsewhere lose no moment. When it opens again, all is as before.
func TestFullQueueStopsNobodyElse(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOBUFS, syscall.EPERM, syscall.EMSGSIZE} {
		t.Run(errno.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, one, other := chains(t)
				host := newTrouble(m)
				host.refuses = func(to netip.Addr, _ []byte) error {
					if to == one {
						return errno
					}
					return nil
				}
				engine := startEngine(t, host)
				alone, err := engine.Trace(t.Context(), traceroute.Spec{Target: other}, prober.Feed{})
				whole(t, alone, err)
				var running sync.WaitGroup
				for range 20 {
					running.Go(func() {
						started := time.Now()
						if _, err := engine.Trace(t.Context(), traceroute.Spec{Target: one}, prober.Feed{}); !errors.Is(err, errno) {
							t.Errorf("error %v, want %v", err, errno)
						}
						if took := time.Since(started); took > 4*time.Second {
							t.Errorf("took %v", took)
						}
					})
				}
				time.Sleep(30 * time.Millisecond) // virtual: in the middle of it
				for range 20 {
					r, err := engine.Trace(t.Context(), traceroute.Spec{Target: other}, prober.Feed{})
					whole(t, r, err)
					if r != nil && r.Duration > alone.Duration+time.Millisecond {
						t.Errorf("took %v, alone %v", r.Duration, alone.Duration)
					}
				}
				running.Wait()
				host.refuses = nil
				again, err := engine.Trace(t.Context(), traceroute.Spec{Target: one}, prober.Feed{})
				whole(t, again, err)
			})
		})
	}
}

// A queue that has room now and then slows a trace and takes nothing from it,
// however long it lasts.
func TestNarrowQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, one, _ := chains(t)
		host := newTrouble(m)
		var last time.Time
		host.refuses = func(netip.Addr, []byte) error {
			if time.Since(last) < time.Second {
				return syscall.ENOBUFS
			}
			last = time.Now()
			return nil
		}
		r, err := startEngine(t, host).Trace(t.Context(), traceroute.Spec{Target: one}, prober.Feed{})
		whole(t, r, err)
		if r != nil && r.Duration < 11*time.Second {
			t.Errorf("12 probes at one a second in %v", r.Duration)
		}
	})
}

// A trace whose one probe is refused neither waits for its answer before it
// tries again, nor tries so soon that what is being changed is not done yet.
func TestRefusedProbeIsTriedAgain(t *testing.T) {
	for refusals, want := range map[int]error{2: nil, 3: syscall.EPERM} {
		synctest.Test(t, func(t *testing.T) {
			m, one, _ := chains(t)
			host := newTrouble(m)
			left := refusals
			host.refuses = func(netip.Addr, []byte) error {
				if left == 0 {
					return nil
				}
				left--
				return syscall.EPERM
			}
			started := time.Now()
			_, err := startEngine(t, host).Trace(t.Context(), traceroute.Spec{Target: one, MaxTTL: 1, PacketsPerTTL: 1, Wait: traceroute.MaxWait}, prober.Feed{})
			if !errors.Is(err, want) {
				t.Errorf("%d refusals: error %v, want %v", refusals, err, want)
			}
			if took := time.Since(started); took < 150*time.Millisecond || took > 200*time.Millisecond {
				t.Errorf("%d refusals: took %v", refusals, took)
			}
		})
	}
}

// A firewall that rejects tells the sender by ICMP as well, and may do so
// before the sending has returned. That is no answer of the path.
func TestRejected(t *testing.T) {
	for refusals, want := range map[int]error{2: nil, 1 << 20: syscall.EPERM} {
		synctest.Test(t, func(t *testing.T) {
			m, one, _ := chains(t)
			host := newTrouble(m)
			left := refusals
			host.refuses = func(_ netip.Addr, b []byte) error {
				if left == 0 {
					return nil
				}
				left--
				host.reject(b)
				return syscall.EPERM
			}
			engine := startEngine(t, host)
			started := time.Now()
			r, err := engine.Trace(t.Context(), traceroute.Spec{Target: one, Wait: traceroute.MaxWait}, prober.Feed{})
			if want != nil {
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			} else {
				whole(t, r, err)
			}
			if took := time.Since(started); took > 300*time.Millisecond {
				t.Errorf("took %v", took)
			}
			if totals := engine.Totals(); totals.Forged != 0 {
				t.Errorf("totals %+v", totals)
			}
		})
	}
}
