//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"probe-agent/internal/netsim/kernel"
)

// agent is the daemon on the lab's host.
type agent struct {
	lab     *kernel.Lab
	command *kernel.Cmd
	client  *http.Client
	secret  string
	log     strings.Builder
}

func start(ctx context.Context, lab *kernel.Lab, program, dir string) (*agent, error) {
	file, secret, err := configure(program, dir)
	if err != nil {
		return nil, err
	}
	a := &agent{lab: lab, secret: secret}
	a.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, to string) (conn net.Conn, err error) {
			err = lab.Do(func() error {
				conn, err = new(net.Dialer).DialContext(ctx, network, to)
				return err
			})
			return conn, err
		},
	}}
	a.command = lab.Command(ctx, program, "serve", "--listen", address, "--admin-listen", adminAddress, "--config", file)
	a.command.Cancel = func() error { return a.command.Process.Signal(syscall.SIGTERM) }
	a.command.Env = []string{} // nothing that would set a flag
	a.command.Stderr = &a.log
	if err := a.command.Start(); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := a.metrics(ctx); err == nil {
			return a, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("agent: does not listen"), a.stop())
		}
	}
}

// stop ends the agent as an operator would.
func (a *agent) stop() error {
	a.client.CloseIdleConnections()
	err := a.command.Process.Signal(syscall.SIGTERM)
	if err = errors.Join(err, a.command.Wait()); err != nil {
		return fmt.Errorf("agent: %w: %s", err, a.log.String())
	}
	return nil
}

// reload has the agent read its configuration again.
func (a *agent) reload() error { return a.command.Process.Signal(syscall.SIGHUP) }

// admin reads what the agent tells its operator.
func (a *agent) admin(ctx context.Context, path string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+adminAddress+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return read(response.Body)
}

// metrics returns what the agent counts, by the name with its labels.
func (a *agent) metrics(ctx context.Context) (map[string]float64, error) {
	found := map[string]float64{}
	err := a.admin(ctx, "/metrics", func(body io.Reader) error {
		lines := bufio.NewScanner(body)
		for lines.Scan() {
			// A label's value may have spaces, a number has none.
			text := lines.Text()
			space := strings.LastIndexByte(text, ' ')
			if space < 0 || text[0] == '#' {
				continue
			}
			if number, err := strconv.ParseFloat(text[space+1:], 64); err == nil {
				found[text[:space]] = number
			}
		}
		return lines.Err()
	})
	return found, err
}

// collect has the agent collect its garbage, twice because what pools keep
// survives once, and saves the heap profile when a file is named.
func (a *agent) collect(ctx context.Context, profile string) error {
	for range 2 {
		err := a.admin(ctx, "/debug/pprof/heap?gc=1", func(body io.Reader) error {
			if profile == "" {
				_, err := io.Copy(io.Discard, body)
				return err
			}
			content, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			return os.WriteFile(profile, content, 0o600)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
