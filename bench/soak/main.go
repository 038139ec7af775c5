//go:build linux

// Soak runs the agent under mixed load in a network of namespaces and says
// whether it is as it was: the same memory, descriptors, goroutines and names
// at the end as after the warm-up, every request answered, and every answer
// that of its target. The exit code is 1 when something is not so. It needs
// root, and a Go toolchain to build the agent with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"probe-agent/internal/netsim/kernel"
)

// Where the agent listens, in the lab's host.
const (
	address      = "127.0.0.1:8080"
	adminAddress = "127.0.0.1:8081"
)

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long to keep the load up, 10s or more")
	profiles := flag.String("profiles", "", "folder for the heap profiles of after the warm-up and of the end")
	flag.Parse()
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *length, *profiles)
	release()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, length time.Duration, profiles string) (err error) {
	if length < 10*time.Second {
		return fmt.Errorf("%v is too short to see anything", length)
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary directory is no failure
	program := filepath.Join(dir, "probe-agent")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "probe-agent/cmd/probe-agent").CombinedOutput(); err != nil {
		return fmt.Errorf("building the agent: %w\n%s", err, out)
	}
	lab, err := kernel.Build(topology())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	if err := countProbes(lab); err != nil {
		return err
	}
	a, err := start(ctx, lab, program, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	return a.soak(ctx, length, profiles)
}

// topology is a chain whose target has a port of every sort and many
// addresses. Its third router is silent.
func topology() kernel.Topology {
	t := kernel.Chain(5)
	t.Routers[2].Silent = true
	t.Target = kernel.Target{Addresses: 100, TCPOpen: []uint16{80}, UDPEcho: []uint16{7}, UDPFiltered: []uint16{82}, TCPFiltered: []uint16{82}}
	return t
}

// soak warms up, keeps the load up, and compares.
func (a *agent) soak(ctx context.Context, length time.Duration, profiles string) error {
	profile := func(name string) string {
		if profiles == "" {
			return ""
		}
		return filepath.Join(profiles, name)
	}
	idle, err := a.read(ctx, "")
	if err != nil {
		return err
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	goal := make(chan float64, 1)
	go func() { goal <- a.watchGoal(watch) }()
	warm := min(length/5, time.Minute)
	var l load
	l.run(ctx, a, warm)
	before, err := a.rest(ctx, profile("before.pprof"))
	if err != nil {
		return err
	}
	l.run(ctx, a, length-warm)
	stop()
	largest := <-goal
	after, err := a.rest(ctx, profile("after.pprof"))
	if err != nil {
		return err
	}
	counted, err := probesCounted(a.lab)
	l.report()
	return errors.Join(err, l.verdict(), before.compare(after), withinGoal(idle, after, largest), after.matches(counted))
}
