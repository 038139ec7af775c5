//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/api/cloudflare"
	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// both is a request for the affected target and the bystander.
func (f fork) both(method traceroute.Method, ipv6 bool, wait int) string {
	return fmt.Sprintf(`{"targets":[%q,%q],"options":{"packet_type":%q,"wait_time":%d}}`,
		f.affected(ipv6), f.bystander(ipv6), method, wait)
}

// words are what a client is told of the affected target when its trace ends
// with an error: that of the first look at the route, or that of the sending.
func (f fork) words(errno syscall.Errno, ipv6 bool) string {
	target := f.affected(ipv6)
	switch errno {
	case unix.EPERM, unix.ENOBUFS, unix.EMSGSIZE:
		return fmt.Sprintf("den01 → %v: could not send: probe to %v not sent: rawsock: send: %v", target, target, errno)
	}
	return fmt.Sprintf("den01 → %v: could not send: no way to %v: rawsock: no route to %v: %v", target, target, target, errno)
}

// A client sees the fault in the entry of the target that it hits, and why in
// the messages; the same answer's other entry, and the answers after the fault
// is over, are what they always are.
func TestDaemonHostFaults(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	d := newDaemon(t, f.Lab)
	for _, fault := range hostFaults() {
		t.Run(fault.name, func(t *testing.T) {
			method, wait := traceroute.ICMP, 5
			if fault.only4 != nil {
				method = fault.only4[0]
			}
			if fault.want4 == 0 {
				wait = 1
			}
			fault.impose(t, f)
			for _, ipv6 := range []bool{false, true} {
				want, hit := fault.hits(method, ipv6)
				a := d.ask(t, http.MethodPost, endpointPath, f.both(method, ipv6, wait))
				affected, other := f.entries(t, a)
				equal(t, f.hops(method, f.bystander(ipv6), 0), rendered(t, other.Hops))
				switch {
				case !hit:
					equal(t, f.hops(method, f.affected(ipv6), 0), rendered(t, affected.Hops))
				case want == 0:
					silent(t, affected)
				default:
					equal(t, []envelope.Message{{Code: 1004, Message: f.words(want, ipv6)}}, a.Messages)
					if affected.Error != "Could not gather traceroute data: Code 4" || len(affected.Hops) != 0 {
						t.Errorf("error %q, %d hops", affected.Error, len(affected.Hops))
					}
				}
			}
			if fault.lift != nil {
				fault.lift(t, f)
			}
			f.restore(t)
			for _, ipv6 := range []bool{false, true} {
				f.well(t, d.ask(t, http.MethodPost, endpointPath, f.both(method, ipv6, 5)), method, ipv6)
			}
			d.healthy(t)
		})
	}
}

// entries are the colo entries of an answer to both.
func (f fork) entries(t testing.TB, a answer) (affected, bystander cloudflare.ColoResult) {
	t.Helper()
	if a.status != http.StatusOK || !a.Success || len(a.Result) != 2 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.Result[0].Colos[0], a.Result[1].Colos[0]
}

// well demands an answer to both in which nothing is amiss.
func (f fork) well(t testing.TB, a answer, method traceroute.Method, ipv6 bool) {
	t.Helper()
	affected, bystander := f.entries(t, a)
	equal(t, f.hops(method, f.affected(ipv6), 0), rendered(t, affected.Hops))
	equal(t, f.hops(method, f.bystander(ipv6), 0), rendered(t, bystander.Hops))
	if len(a.Messages) != 0 {
		t.Errorf("messages %+v", a.Messages)
	}
}

// silent demands an entry that shows all TTLs, without any answer.
func silent(t testing.TB, colo cloudflare.ColoResult) {
	t.Helper()
	if colo.Error != "" || len(colo.Hops) != traceroute.DefaultMaxTTL {
		t.Errorf("error %q, %d hops", colo.Error, len(colo.Hops))
	}
	for _, h := range colo.Hops {
		if h.Sent == 0 || h.Lost != h.Sent {
			t.Errorf("TTL %d: %d of %d lost", h.TTL, h.Lost, h.Sent)
		}
	}
}
