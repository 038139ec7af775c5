//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/internal/netsim/kernel"
)

// networkCommand makes this program be a simulated network: it is started
// again inside a namespace of its own, so that nothing that is measured shares
// a process with the network.
const networkCommand = "network"

// The path that is traced, of 11 routers and a target.
const (
	pathHops = 12
	pathRTT  = 80 * time.Millisecond
)

// lengthRTT is that of the targets of paths of other lengths.
const lengthRTT = 100 * time.Millisecond

// pathKind says which part of the path is silent; or answeringPrefix and the
// length of a path on which all answer, with the target at lengthRTT.
type pathKind string

const answeringPrefix = "answering-"

// length returns how many hops the path has.
func (k pathKind) length() int {
	if text, ok := strings.CutPrefix(string(k), answeringPrefix); ok {
		if hops, err := strconv.Atoi(text); err == nil && hops > 0 {
			return hops
		}
	}
	return pathHops
}

const (
	pathAnswering    pathKind = "answering"
	pathSilentHops   pathKind = "silent-hops"
	pathSilentTarget pathKind = "silent-target"
	pathManyTargets  pathKind = "many-targets" // as answering, with all of pathTargets at its end
)

func (k pathKind) scenario() (*netsim.Scenario, error) {
	s := netsim.Chain(pathHops-1, pathRTT)
	switch k {
	case pathAnswering:
	case pathKind(fmt.Sprint(answeringPrefix, k.length())):
		return netsim.Chain(k.length()-1, lengthRTT), nil
	case pathSilentHops:
		for _, ttl := range []int{3, 5, 8, 10} {
			s.Hops[ttl-1].Silent = true
		}
	case pathManyTargets:
		s.Target.Also = []netip.Prefix{pathTargets()}
	case pathSilentTarget:
		s.Target.Silent = true
	default:
		return nil, fmt.Errorf("no network %q", k)
	}
	return s, nil
}

// pathTargets are the addresses behind a path of pathManyTargets.
func pathTargets() netip.Prefix { return netip.MustParsePrefix("198.18.128.0/21") }

// runNetwork is the network: it says that it is up, carries packets until its
// standard input ends, and prints what it counted.
func runNetwork(kind string) error {
	scenario, err := pathKind(kind).scenario()
	if err != nil {
		return err
	}
	network, err := netsim.New(scenario)
	if err != nil {
		return err
	}
	device, err := netsim.OpenTUN("path0", network)
	if err != nil {
		return err
	}
	fmt.Println("up")
	_, err = io.Copy(io.Discard, os.Stdin)
	if err := errors.Join(err, device.Close()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(network.Counts())
}

// past returns how many packets were sent with a TTL higher than the target's
// distance.
func (k pathKind) past(c netsim.Counts) int {
	n := 0
	for _, packets := range c.ByTTL[k.length()+1:] {
		n += packets
	}
	return n
}

// onPath starts a network of that kind, calls measure with the node of the
// host that probes it, and returns what the network counted.
func onPath(ctx context.Context, kind pathKind, measure func(*kernel.Node) error) (counts netsim.Counts, err error) {
	self, err := os.Executable()
	if err != nil {
		return counts, err
	}
	node, err := kernel.NewNode("path")
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, node.Close()) }()

	command := node.Command(ctx, self, networkCommand, string(kind))
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	command.Stderr = &said
	input, err := command.StdinPipe()
	if err != nil {
		return counts, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return counts, err
	}
	if err := command.Start(); err != nil {
		return counts, fmt.Errorf("network: %w", err)
	}
	var word string
	if _, err = fmt.Fscanln(output, &word); err == nil {
		err = measure(node)
	}
	err = errors.Join(err, input.Close())
	if err == nil {
		err = json.NewDecoder(output).Decode(&counts)
	}
	if ended := command.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("network: %w: %s", ended, said.Bytes()))
	}
	return counts, err
}
