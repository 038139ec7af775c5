package agent

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

// HealthURL returns where an agent with these settings answers health checks, on
// this host: whether it can trace, or whether it lives.
func HealthURL(s *settings.Serve, ready bool) (string, error) {
	address, err := reachable(string(s.Listen))
	if err != nil {
		return "", err
	}
	scheme, path := "http://", "/healthz"
	if s.TLSCert != "" {
		scheme = "https://"
	}
	if ready {
		path = "/readyz"
	}
	return scheme + address + path, nil
}

// CheckHealth returns nil when the URL answers 200 within 3 s.
func CheckHealth(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
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
