//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"probe-agent/bench/peer"
	"probe-agent/internal/netsim/kernel"
)

// program is a peer or a tool, by the name of its command.
type program string

const (
	programTraceroute program = "traceroute"
	programMTR        program = "mtr"
	programScamper    program = "scamper"
	programTCPDump    program = "tcpdump"
)

// debianPackage returns the package that has the program.
func (p program) debianPackage() string {
	if p == programMTR {
		return "mtr-tiny"
	}
	return string(p)
}

// versionFlag makes the program say its version.
func (p program) versionFlag() string {
	if p == programScamper {
		return "-v"
	}
	return "--version"
}

// missing says which programs are not installed; empty when all are.
func missing(programs []program) string {
	var words []string
	for _, p := range programs {
		if _, err := exec.LookPath(string(p)); err != nil {
			words = append(words, fmt.Sprintf("%s is not installed: Debian package %s", p, p.debianPackage()))
		}
	}
	return strings.Join(words, "; ")
}

// peerVersions returns the version of every program, or says that it is
// missing.
func peerVersions(ctx context.Context) []string {
	var versions []string
	for _, p := range []program{programTraceroute, programMTR, programScamper, programTCPDump} {
		if missing([]program{p}) != "" {
			versions = append(versions, string(p)+" missing")
			continue
		}
		// Some exit with 1 after a version.
		out, _ := exec.CommandContext(ctx, string(p), p.versionFlag()).CombinedOutput()
		versions = append(versions, string(p)+" "+peer.Version(string(out)))
	}
	return versions
}

// usage is what a process took.
type usage struct{ wall, cpu time.Duration }

// run runs a program in the node to its end and returns what it printed.
func (p program) run(ctx context.Context, node *kernel.Node, arguments ...string) (string, usage, error) {
	command := node.Command(ctx, string(p), arguments...)
	started := time.Now()
	out, err := command.Output()
	u := usage{wall: time.Since(started)}
	if err != nil {
		return "", u, fmt.Errorf("%s %s: %w", p, strings.Join(arguments, " "), err)
	}
	u.cpu = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	return string(out), u, nil
}
