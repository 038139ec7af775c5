//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/rawsock"
	"probe-agent/prober"
)

// bench is what all measurements work with.
type bench struct {
	settings
	dir string // temporary
}

// newBench builds the agent, unless one is given.
func newBench(ctx context.Context, s settings) (*bench, error) {
	dir, err := os.MkdirTemp("", "probe-agent-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, dir: dir}
	if b.agent != "" {
		return b, nil
	}
	b.agent = filepath.Join(dir, "probe-agent")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.agent, "probe-agent/cmd/probe-agent")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("building the agent: %w\n%s", err, out), b.close())
	}
	return b, nil
}

func (b *bench) close() error { return os.RemoveAll(b.dir) }

// scaled returns the usual amount, or the quick one.
func scaled[T any](b *bench, usual, quick T) T {
	if b.quick {
		return quick
	}
	return usual
}

// lab builds a chain of routers and a target with that many addresses, and
// calls measure with it.
func lab(routers, addresses int, measure func(*kernel.Lab) error) error {
	topology := kernel.Chain(routers)
	topology.Target.Addresses = addresses
	return labOf(topology, measure)
}

func labOf(topology kernel.Topology, measure func(*kernel.Lab) error) error {
	l, err := kernel.Build(topology)
	if err != nil {
		return err
	}
	return errors.Join(measure(l), l.Close())
}

// engineIn starts an engine in this process that probes from the lab's host.
func engineIn(l *kernel.Lab, o prober.Options) (*prober.Engine, error) {
	var transport *rawsock.Transport
	err := l.Do(func() (err error) {
		transport, err = rawsock.Open(rawsock.Options{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return prober.New(transport, o)
}

// profiled runs f under the CPU profiler, if profiles are asked for.
func (b *bench) profiled(name string, f func() error) error {
	if b.profile == "" {
		return f()
	}
	file, err := os.Create(filepath.Join(b.profile, name+".pprof"))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

// supply hands out addresses, each once.
type supply struct{ left []netip.Addr }

func (s *supply) take(n int) ([]netip.Addr, error) {
	if n > len(s.left) {
		return nil, fmt.Errorf("%d targets wanted, %d left", n, len(s.left))
	}
	taken := s.left[:n]
	s.left = s.left[n:]
	return taken, nil
}
