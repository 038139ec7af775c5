//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"probe-agent/internal/netsim"
	"probe-agent/internal/netsim/kernel"
)

// TestStopped stops the program in mid-trace, as the cgroup freezer or a
// virtual machine that moves would, for longer than the wait and everything
// that it allows for. The answers that arrived meanwhile were in time.
func TestStopped(t *testing.T) {
	if err := kernel.Available(); err != nil {
		t.Skip(err)
	}
	const (
		routers, packets = 2, 3
		rtt              = 600 * time.Millisecond
		stop             = 2500 * time.Millisecond
	)
	for _, method := range []string{"icmp", "tcp", "udp", "gre"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			node, target := slowPath(t, routers, rtt)
			command := node.Command(context.Background(), "probe-agent", "trace", "--names", "off", "--csv",
				"-P", method, "-m", fmt.Sprint(routers+1), "-q", fmt.Sprint(packets), target)
			command.Env = environment()
			var out, said bytes.Buffer
			command.Stdout, command.Stderr = &out, &said
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() string {
				if sent := transmitted(t, node); sent < (routers+1)*packets {
					return fmt.Sprintf("%d packets sent", sent)
				}
				return ""
			})
			err := command.Process.Signal(syscall.SIGSTOP)
			<-time.After(stop)
			if err := errors.Join(err, command.Process.Signal(syscall.SIGCONT), command.Wait()); err != nil {
				t.Errorf("%v: %s", err, said.Bytes())
			}
			rows, err := csv.NewReader(&out).ReadAll()
			if err != nil || len(rows) != 1+routers+1 {
				t.Fatalf("%q, %v", rows, err)
			}
			for _, row := range rows[1:] {
				if stopped, lost := row[3], row[6]; stopped != "reached" || lost != "0" {
					t.Errorf("TTL %s: %s lost, %s", row[4], lost, stopped)
				}
			}
		})
	}
}

// slowPath makes a namespace with a path of that many routers and a target that
// is rtt away.
func slowPath(t *testing.T, routers int, rtt time.Duration) (node *kernel.Node, target string) {
	t.Helper()
	node, err := kernel.NewNode("slow")
	if err != nil {
		t.Fatal(err)
	}
	s := netsim.Chain(routers, rtt)
	network, err := netsim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	var device *netsim.TUN
	err = node.Do(func() (err error) {
		device, err = netsim.OpenTUN(slowDevice, network)
		return err
	})
	if err != nil {
		t.Fatal(errors.Join(err, node.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(device.Close(), node.Close()); err != nil {
			t.Error(err)
		}
	})
	return node, s.Addresses()[0].String()
}

const slowDevice = "slow0"

// transmitted returns how many packets have left by a slow path's device.
func transmitted(t *testing.T, node *kernel.Node) int {
	t.Helper()
	var sent uint64
	err := node.Do(func() error {
		link, err := netlink.LinkByName(slowDevice)
		if err == nil {
			sent = link.Attrs().Statistics.TxPackets
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return int(sent)
}
