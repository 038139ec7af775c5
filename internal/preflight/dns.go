package preflight

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
)

// Nameservers finds whether a name server is configured. root is the host's
// file system.
func Nameservers(root fs.FS) Finding {
	const advice = "targets given as names cannot be traced; put a nameserver line into /etc/resolv.conf"
	f := Finding{Name: "DNS configuration", State: Warning, Advice: advice}
	servers, err := nameservers(root)
	switch {
	case err != nil:
		f.Detail = err.Error()
	case len(servers) == 0:
		f.Detail = "no nameserver in /etc/resolv.conf"
	default:
		return Finding{Name: f.Name, State: OK, Detail: "nameserver " + strings.Join(servers, ", ")}
	}
	return f
}

// nameservers reads resolv.conf(5).
func nameservers(root fs.FS) ([]string, error) {
	file, err := root.Open("etc/resolv.conf")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var servers []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 1 && words[0] == "nameserver" {
			servers = append(servers, words[1])
		}
	}
	return servers, lines.Err()
}

// Resolver finds the addresses of a host name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Lookup finds whether name resolves.
func Lookup(ctx context.Context, resolver Resolver, name string) Finding {
	f := Finding{Name: "DNS look-up of " + name}
	addrs, err := resolver.LookupNetIP(ctx, "ip", name)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		f.State, f.Detail = Missing, err.Error()
		f.Advice = "check the name, and that the configured name server answers this host"
		return f
	}
	f.State, f.Detail = OK, fmt.Sprintf("%d addresses, first %v", len(addrs), addrs[0].Unmap())
	return f
}
