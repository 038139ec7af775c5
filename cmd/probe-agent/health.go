package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"probe-agent/internal/settings"
)

// healthTimeout bounds the whole exchange. It is below the shortest interval
// that anyone sensible checks at.
const healthTimeout = 3 * time.Second

// healthBody is how much of a refusal is repeated, in bytes.
const healthBody = 512

// healthCommand takes the settings of serve, so that with the same environment
// and file it finds the agent where that listens.
type healthCommand struct {
	Ready bool `help:"Ask whether the agent can trace (/readyz) instead of whether it lives (/healthz)."`
	settings.Serve
}

// Help is the long description.
func (*healthCommand) Help() string {
	return "For health checks where there is no shell and no curl, such as in a container. Takes all settings of " +
		"serve and uses those that say where it listens.\n\n" +
		"Exit code: 0 healthy, 1 not, or not reached, 2 error."
}

// Run asks the running agent.
func (c *healthCommand) Run(t terminal) error {
	address, err := reachable(string(c.Listen))
	if err != nil {
		return err
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	if err := askHealth(ctx, scheme+address+path); err != nil {
		fmt.Fprintf(t.err, "probe-agent: not healthy: %v\n", err)
		return exitStatus(exitPartial)
	}
	return nil
}

// askHealth returns nil when the URL answers 200.
func askHealth(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	// No proxy of the environment: the agent is on this host.
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// Asked by its address, which no certificate names, and told nothing.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, healthBody))
	return errors.Join(fmt.Errorf("%s: %s: %s", url, response.Status, body), err)
}

// reachable returns the address to ask an agent at that listens on listen:
// where that is all addresses, the loopback one of the same family.
func reachable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("--listen %s: port 0 does not tell where the agent listens", listen)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = netip.IPv6Loopback().String()
	}
	return net.JoinHostPort(host, port), nil
}
