//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"probe-agent/bench/capture"
	"probe-agent/bench/peer"
	"probe-agent/internal/netsim/kernel"
)

// flushTime is how long the kernel may keep packets from tcpdump: the read
// timeout of libpcap that tcpdump asks for is one second.
const flushTime = 1100 * time.Millisecond

// recorded calls measure while tcpdump captures at the host's interface, and
// returns the exchanges that passed there.
func (b *bench) recorded(ctx context.Context, l *kernel.Lab, measure func() error) (map[capture.Probe]time.Duration, error) {
	path := filepath.Join(b.dir, "capture")
	// A snapshot as long as the longest answer's quote, and a buffer for some
	// 100,000 packets, in case tcpdump gets no processor for a while.
	command := l.Command(ctx, string(programTCPDump), "-i", firstLink, "-n", "-w", path,
		"--time-stamp-precision=nano", "-s", "128", "-B", "65536", "-Z", "root", "icmp")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	words, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("tcpdump: %w", err)
	}
	said := bufio.NewReader(words)
	if err = listening(said); err == nil {
		err = measure()
		time.Sleep(flushTime)
	}
	err = errors.Join(err, command.Process.Signal(syscall.SIGINT))
	rest, unread := io.ReadAll(said)
	if err = errors.Join(err, unread, command.Wait()); err != nil {
		return nil, fmt.Errorf("tcpdump: %w", err)
	}
	dropped, err := peer.TCPDumpDropped(string(rest))
	if err != nil {
		return nil, err
	}
	if dropped > 0 {
		return nil, fmt.Errorf("tcpdump missed %d packets", dropped)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return capture.Exchanges(bufio.NewReader(file))
}

// listening returns when tcpdump says that it captures.
func listening(said *bufio.Reader) error {
	for {
		line, err := said.ReadString('\n')
		if err != nil {
			return fmt.Errorf("said %q: %w", line, err)
		}
		if strings.Contains(line, "listening on") {
			return nil
		}
	}
}
