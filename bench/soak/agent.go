//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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
	log     strings.Builder
}

func start(ctx context.Context, lab *kernel.Lab, program string) (*agent, error) {
	a := &agent{lab: lab}
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
	a.command = lab.Command(ctx, program, "serve", "--listen", address, "--names", "off", "--log-level", "error",
		"--near-hop-rate", "0", "--prefix-rate", "0")
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

// metrics returns what the agent counts, by the name with its labels.
func (a *agent) metrics(ctx context.Context) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	found := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = number
		}
	}
	return found, lines.Err()
}

// rest waits for the quarantine of the last names and returns what the agent
// counts then.
func (a *agent) rest(ctx context.Context) (map[string]float64, error) {
	a.client.CloseIdleConnections()
	select {
	case <-ctx.Done():
		return nil, errors.New("interrupted")
	case <-time.After(4 * time.Second):
		return a.metrics(ctx)
	}
}

// compare says what has grown.
func compare(before, after map[string]float64) error {
	var errs []error
	for _, gauge := range []struct {
		name         string
		factor, more float64 // that it may have grown by
	}{
		{"process_resident_memory_bytes", 1.2, 8 << 20},
		{"go_memstats_heap_inuse_bytes", 1.5, 16 << 20},
		{"process_open_fds", 1, 2},
		{"go_goroutines", 1, 2},
		{"probe_agent_traces_running", 0, 0},
		{"probe_agent_flow_names_held", 0, 0},
		{"probe_agent_http_requests_in_flight", 1, 0},
	} {
		was, is := before[gauge.name], after[gauge.name]
		fmt.Printf("%-38s %14.0f after the warm-up %14.0f at the end\n", gauge.name, was, is)
		if _, there := after[gauge.name]; !there || is > was*gauge.factor+gauge.more {
			errs = append(errs, fmt.Errorf("%s went from %.0f to %.0f", gauge.name, was, is))
		}
	}
	for name, most := range map[string]float64{
		`probe_agent_replies_total{fate="forged"}`: 0, `probe_agent_replies_total{fate="malformed"}`: 0,
		"probe_agent_probes_refused_total": 0, "probe_agent_receive_errors_total": 0, "probe_agent_receive_drops_total": 0,
	} {
		fmt.Printf("%-44s %10.0f\n", name, after[name])
		if after[name] > most {
			errs = append(errs, fmt.Errorf("%s is %.0f", name, after[name]))
		}
	}
	fmt.Printf("%-44s %10.0f\n", "probe_agent_probes_sent_total", after["probe_agent_probes_sent_total"])
	return errors.Join(errs...)
}
