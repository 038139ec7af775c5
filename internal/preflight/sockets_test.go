package preflight_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"probe-agent/internal/preflight"
	"probe-agent/internal/rawsock"
)

func TestNoSockets(t *testing.T) {
	demand(t, preflight.NoSockets(fmt.Errorf("opening: %w", rawsock.ErrPrivilege)), preflight.Missing, "not allowed")

	// An error of another kind speaks for itself.
	f := preflight.NoSockets(errors.New("too many open files"))
	if f.State != preflight.Missing || f.Detail != "too many open files" {
		t.Errorf("finding is %+v", f)
	}
}

func TestSockets(t *testing.T) {
	perfect := rawsock.Status{ByProtocol: true, StampMode: "per-packet id", ReceiveStamps: true, ReceiveBuffer: 2 * rawsock.DefaultReceiveBuffer}
	limit := host("proc/sys/net/core/rmem_max", "212992\n")
	absent := errors.New("address family not supported")
	type want struct {
		state  preflight.State
		detail string
	}
	tests := []struct {
		name   string
		root   fstest.MapFS
		change func(*rawsock.Status)
		want   map[string]want // of findings that are not OK
	}{
		{"perfect", limit, func(*rawsock.Status) {}, nil},
		{"no IPv6", limit, func(s *rawsock.Status) { s.IPv6 = absent }, map[string]want{
			"raw sockets IPv6": {preflight.Warning, "not supported"},
		}},
		{"neither family", limit, func(s *rawsock.Status) { s.IPv4, s.IPv6 = absent, absent }, map[string]want{
			"raw sockets IPv4": {preflight.Missing, "not supported"},
			"raw sockets IPv6": {preflight.Missing, "not supported"},
		}},
		{"netlink refused", limit, func(s *rawsock.Status) { s.RouteTable = absent }, map[string]want{
			"routing table": {preflight.Warning, "not supported"},
		}},
		{"old kernel", limit, func(s *rawsock.Status) { s.ByProtocol, s.TakesForeignErrors = false, true }, map[string]want{
			"routing by protocol": {preflight.Warning, "not supported by this kernel"},
			"forged ICMP errors":  {preflight.Warning, "protocol 255"},
		}},
		{"lo down", limit, func(s *rawsock.Status) { s.LoopbackDown = true }, map[string]want{
			"loopback interface": {preflight.Warning, "lo is down"},
		}},
		{"no stamps", limit, func(s *rawsock.Status) { s.StampMode, s.ReceiveStamps = "none", false }, map[string]want{
			"kernel timestamps, sent":     {preflight.Warning, "none"},
			"kernel timestamps, received": {preflight.Warning, "off"},
		}},
		{"small buffer", limit, func(s *rawsock.Status) { s.ReceiveBuffer = 425984 }, map[string]want{
			"receive buffer": {preflight.Warning, "425984 bytes of 16777216 wanted; net.core.rmem_max is 212992"},
		}},
		{"small buffer without proc", fstest.MapFS{}, func(s *rawsock.Status) { s.ReceiveBuffer = 425984 }, map[string]want{
			"receive buffer": {preflight.Warning, "net.core.rmem_max is unknown"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := perfect
			tt.change(&status)
			seen := 0
			for _, f := range preflight.Sockets(tt.root, status) {
				w, ok := tt.want[f.Name]
				if !ok {
					w = want{preflight.OK, ""}
				} else {
					seen++
				}
				demand(t, f, w.state, w.detail)
			}
			if seen != len(tt.want) {
				t.Errorf("%d of %d findings seen", seen, len(tt.want))
			}
		})
	}
}
