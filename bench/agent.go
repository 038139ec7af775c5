//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
)

// agentAddress is where the agent listens, in a namespace that it has to
// itself.
const agentAddress = "127.0.0.1:8080"

// readyLimit is how long an agent may take to start.
const readyLimit = 10 * time.Second

// agent is a running daemon.
type agent struct {
	command *kernel.Cmd
	client  *http.Client
	log     bytes.Buffer
}

// serve starts an agent in the node and calls measure when it is ready. It
// looks up no names: there is no name server where it runs.
func (b *bench) serve(ctx context.Context, node *kernel.Node, flags []string, measure func(*agent) error) (err error) {
	a := &agent{client: clientIn(node)}
	arguments := append([]string{"serve", "--listen", agentAddress, "--names", "off", "--log-level", "warn", "--prefix-rate", "0", "--request-rate", "0", "--max-traces", "0", "--max-traces-per-token", "0"}, flags...)
	a.command = node.Command(ctx, b.agent, arguments...)
	a.command.Stderr = &a.log
	a.command.Env = []string{} // nothing that would set a flag
	a.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.command.Start(); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer func() {
		stopped := a.stop()
		if err = errors.Join(err, stopped); err != nil && a.log.Len() > 0 {
			err = fmt.Errorf("%w; the agent said: %s", err, a.log.String())
		}
	}()
	if err := a.ready(ctx); err != nil {
		return err
	}
	return measure(a)
}

// ready waits until the agent says that it is.
func (a *agent) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		if a.answers(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("agent: not ready: %w", ctx.Err())
		case <-time.After(time.Millisecond / 2):
		}
	}
}

func (a *agent) answers(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+agentAddress+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	response, err := a.client.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// stop ends the agent as an operator would.
func (a *agent) stop() error {
	a.client.CloseIdleConnections()
	if err := a.command.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(fmt.Errorf("agent: %w", err), a.command.Wait())
	}
	if err := a.command.Wait(); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

// cpu returns the time, user and system, that the agent's threads have used
// so far. The kernel counts it in nanoseconds (clock_getcpuclockid(3)).
func (a *agent) cpu() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^a.command.Process.Pid<<3|scheduled), &used); err != nil {
		return 0, fmt.Errorf("agent: CPU clock: %w", err)
	}
	return time.Duration(used.Nano()), nil
}

// status returns a value of /proc/PID/status that is in kB, in bytes.
func (a *agent) status(key string) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, key+":"); found {
			var kibibytes int64
			_, err := fmt.Sscanf(value, "%d kB", &kibibytes)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("agent: no %s in its status", key)
}

// clientIn returns a client whose connections start in the node.
func clientIn(node *kernel.Node) *http.Client {
	dialer := new(net.Dialer)
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 1000,
		DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			err = node.Do(func() error {
				conn, err = dialer.DialContext(ctx, network, address)
				return err
			})
			return conn, err
		},
	}}
}
