package lookup

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
)

const (
	// DefaultHosts is the host's own table of names, hosts(5).
	DefaultHosts = "/etc/hosts"

	// maxHosts bounds what is read of the file. Lists that block
	// advertisements have some megabytes.
	maxHosts = 64 << 20
	// maxHostsLine bounds a line; a longer one is skipped together with what
	// follows it.
	maxHostsLine = 64 << 10
	// maxAddrs bounds the addresses of one name.
	maxAddrs = 64
)

// hostsAddrs returns the addresses that a hosts(5) file has for host, in its
// order, never an IPv4-mapped one. The file is read for each question, as the C
// library does, so that a change counts at once. A file that cannot be read has
// none.
func hostsAddrs(path, host string) []netip.Addr {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	var addrs []netip.Addr
	host = strings.TrimSuffix(host, ".")
	lines := bufio.NewScanner(io.LimitReader(file, maxHosts))
	lines.Buffer(nil, maxHostsLine)
	for lines.Scan() && len(addrs) < maxAddrs {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.ContainsFunc(fields[1:], func(name string) bool { return strings.EqualFold(strings.TrimSuffix(name, "."), host) }) {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if addr = addr.Unmap(); err == nil && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
