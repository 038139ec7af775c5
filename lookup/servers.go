package lookup

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	dnsPort = 53
	// maxServers is what resolv.conf(5) allows (MAXNS); further ones are
	// ignored.
	maxServers = 3
	// maxResolvConf bounds what is read of the file.
	maxResolvConf = 64 << 10
	// resolvConfAge is how long the file is trusted not to have changed.
	resolvConfAge = 5 * time.Second
)

// resolvConf tells the host's name servers, following the file as it changes.
// It is safe for concurrent use.
type resolvConf struct {
	path string

	mu      sync.Mutex
	looked  time.Time   // at the file
	seen    os.FileInfo // what it was then; nil when it has not been read
	servers []netip.AddrPort
}

// list returns the servers in the file's order. What it returns is not to be
// changed. When the file cannot be read it is the last list known.
func (f *resolvConf) list() []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.servers != nil && time.Since(f.looked) < resolvConfAge {
		return f.servers
	}
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	if err == nil && f.seen != nil && os.SameFile(f.seen, info) &&
		f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return f.servers
	}
	content, err := readResolvConf(f.path)
	switch {
	case err == nil:
		f.seen = info
		f.servers = parseResolvConf(content)
	case f.servers == nil:
		f.servers = parseResolvConf(nil)
	}
	return f.servers
}

func readResolvConf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxResolvConf))
}

// parseResolvConf returns the name servers of a resolv.conf(5). Lines that make
// no sense are skipped, as the C library does; when nothing is left it is the
// host itself.
func parseResolvConf(content []byte) []netip.AddrPort {
	var servers []netip.AddrPort
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, maxResolvConf+1)
	for lines.Scan() && len(servers) < maxServers {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			servers = append(servers, netip.AddrPortFrom(addr, dnsPort))
		}
	}
	if len(servers) == 0 {
		return []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort),
			netip.AddrPortFrom(netip.IPv6Loopback(), dnsPort),
		}
	}
	return servers
}
