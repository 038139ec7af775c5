//go:build linux

package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

func namespace(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// held returns what this process has of namespaces other than its own: open
// descriptors, and threads that were left inside.
func held(t *testing.T) []string {
	t.Helper()
	own := namespace(t)
	var found []string
	for _, pattern := range []string{"/proc/self/fd/*", "/proc/self/task/*/ns/net"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if name, err := os.Readlink(path); err == nil && strings.HasPrefix(name, "net:") && name != own {
				found = append(found, path+" "+name)
			}
		}
	}
	return found
}

func links(t *testing.T) []string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

func TestNothingIsLeft(t *testing.T) {
	if err := kernel.Available(); err != nil {
		t.Skip(err)
	}
	full := kernel.Diamond(1, 1, 1, 2)
	full.Routers[0].NAT = true
	full.Target = kernel.Target{TCPOpen: []uint16{80, 443}, UDPEcho: []uint16{7}, UDPFiltered: []uint16{9}}
	halfWay := full
	halfWay.Target.TCPOpen = []uint16{80, 80}

	before := links(t)
	var building sync.WaitGroup
	for range 4 {
		building.Go(func() {
			lab, err := kernel.Build(full)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(lab.Close(), lab.Close()); err != nil {
				t.Error(err)
			}
			if err := lab.Do(func() error { return nil }); !errors.Is(err, kernel.ErrClosed) {
				t.Errorf("Do in a closed lab: %v", err)
			}
			if _, err := kernel.Build(halfWay); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a port opened twice: %v", err)
			}
		})
	}
	building.Wait()
	goleak.VerifyNone(t)
	if left := held(t); left != nil {
		t.Errorf("namespaces left: %q", left)
	}
	if diff := gocmp.Diff(before, links(t)); diff != "" {
		t.Errorf("links (-before +after):\n%s", diff)
	}
}

func TestDoComesBack(t *testing.T) {
	lab := kerneltest.Build(t, kernel.Chain(0))
	own := namespace(t)
	broken := errors.New("broken")
	err := lab.Do(func() error {
		inHost := namespace(t)
		if inHost == own {
			t.Error("still in the caller's namespace")
		}
		return errors.Join(broken, lab.Target.Do(func() error {
			if name := namespace(t); name == inHost || name == own {
				t.Errorf("target is in %s, host in %s, caller in %s", name, inHost, own)
			}
			return nil
		}))
	})
	if !errors.Is(err, broken) {
		t.Errorf("Do returned %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = lab.Do(func() error { panic("inside") })
	}()
	if name := namespace(t); name != own {
		t.Errorf("left in %s, came from %s", name, own)
	}
}

func TestCommand(t *testing.T) {
	lab := kerneltest.Build(t, kernel.Chain(1))
	var names bytes.Buffer
	cmd := lab.Routers[0].Command(context.Background(), "cat", "/proc/net/dev")
	cmd.Stdout = &names
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{" l1:", " l2:", " lo:"} {
		if !strings.Contains(names.String(), name) {
			t.Errorf("no %s in the router:\n%s", name, names.String())
		}
	}
}

func TestPathNamesTheNamespace(t *testing.T) {
	lab := kerneltest.Build(t, kernel.Chain(0))
	for _, node := range []*kernel.Node{lab.Host, lab.Target} {
		named, err := os.Stat(node.Path())
		if err != nil {
			t.Fatal(err)
		}
		err = node.Do(func() error {
			inside, err := os.Stat("/proc/thread-self/ns/net")
			if err == nil && !os.SameFile(named, inside) {
				t.Errorf("%s is not the namespace of %s", node.Path(), node.Name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestTargetPorts(t *testing.T) {
	for _, addresses := range []int{3, 1000} {
		t.Run(fmt.Sprint(addresses), func(t *testing.T) {
			testTargetPorts(t, addresses)
		})
	}
}

func testTargetPorts(t *testing.T, addresses int) {
	lab := kerneltest.Build(t, kernel.Topology{
		Routers: make([]kernel.Router, 1),
		Target:  kernel.Target{Addresses: addresses, TCPOpen: []uint16{80}, UDPEcho: []uint16{7}},
	})
	dial := func(network string, to netip.Addr, port uint16) (conn net.Conn, err error) {
		err = lab.Do(func() (err error) {
			conn, err = net.Dial(network, netip.AddrPortFrom(to, port).String())
			return err
		})
		return conn, err
	}
	for _, ipv6 := range []bool{false, true} {
		targets := lab.Targets(ipv6)
		if len(targets) != addresses || targets[0] != lab.Target.Addr(ipv6) {
			t.Fatalf("%d targets, the first %v", len(targets), targets[0])
		}
		for _, target := range []netip.Addr{targets[0], targets[addresses/2], targets[addresses-1]} {
			if conn, err := dial("tcp", target, 80); err != nil {
				t.Error(err)
			} else if _, err := io.Copy(io.Discard, conn); err != nil || conn.Close() != nil {
				t.Errorf("open port of %v: %v", target, err)
			}
			if _, err := dial("tcp", target, 81); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("closed port of %v: %v", target, err)
			}
			// A connected socket takes no answer from another address.
			if got, err := exchange(dial("udp", target, 7)); err != nil || got != "across" {
				t.Errorf("echo of %v: %q, %v", target, got, err)
			}
			if _, err := exchange(dial("udp", target, 9)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("closed UDP port of %v: %v", target, err)
			}
		}
	}
}

// exchange writes a datagram, returns the answer and closes the connection.
func exchange(conn net.Conn, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "across"); err != nil {
		return "", err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	return string(answer[:n]), err
}

func TestNewNode(t *testing.T) {
	if err := kernel.Available(); err != nil {
		t.Skip(err)
	}
	node, err := kernel.NewNode("alone")
	if err != nil {
		t.Fatal(err)
	}
	err = node.Do(func() error {
		links, err := net.Interfaces()
		if err == nil && (len(links) != 1 || links[0].Flags&net.FlagUp == 0) {
			t.Errorf("links %+v, want a loopback that is up", links)
		}
		return err
	})
	if err := errors.Join(err, node.Close(), node.Close()); err != nil {
		t.Error(err)
	}
	if err := node.Do(func() error { return nil }); !errors.Is(err, kernel.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range []struct {
		name     string
		topology kernel.Topology
	}{
		{"chain-5", kernel.Chain(5)},
		{"chain-30", kernel.Chain(30)},
		{"diamond-4", kernel.Diamond(2, 2, 1, 1, 1, 1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			if err := kernel.Available(); err != nil {
				b.Skip(err)
			}
			for b.Loop() {
				lab, err := kernel.Build(c.topology)
				if err != nil {
					b.Fatal(err)
				}
				if err := lab.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
