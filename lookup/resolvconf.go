package lookup

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	dnsPort = 53
	// maxServers is what resolv.conf(5) allows (MAXNS); further ones are
	// ignored.
	maxServers = 3
	// maxSearch bounds the search list.
	maxSearch = 32
	// maxResolvConf bounds what is read of the file.
	maxResolvConf = 64 << 10
	// resolvConfAge is how long the file is trusted not to have changed.
	resolvConfAge = 5 * time.Second

	// Ceilings of options, as in the C library.
	maxNdots      = 15
	maxTryTimeout = 30 // seconds
	maxAttempts   = 5
)

// resolverConfig is what a resolv.conf(5) says, as far as it matters here. What
// is in it is not to be changed.
type resolverConfig struct {
	servers []netip.AddrPort
	search  []string // domains without a trailing dot
	ndots   int      // a name with fewer dots is searched for before it is tried as it is
	// timeout and attempts are those of options, 0 when the file has none.
	timeout  time.Duration
	attempts int
	useVC    bool // TCP only
	edns0    bool
	noAAAA   bool
}

// network returns that of the first question to a server.
func (c resolverConfig) network() string {
	if c.useVC {
		return "tcp"
	}
	return "udp"
}

// names returns the names to try for host, in order, each with a trailing dot.
func (c resolverConfig) names(host string) []string {
	list := dns.ClientConfig{Search: c.search, Ndots: c.ndots}
	var names []string
	for _, name := range list.NameList(host) {
		if len(name) <= maxName+1 {
			names = append(names, name)
		}
	}
	return names
}

// resolvConf tells what the host's resolv.conf says, following the file as it
// changes. It is safe for concurrent use.
type resolvConf struct {
	path string

	mu     sync.Mutex
	looked time.Time   // at the file
	seen   os.FileInfo // what it was then; nil when it has not been read
	config resolverConfig
}

// load returns what the file says. When it cannot be read, that is what it last
// said, or the default.
func (f *resolvConf) load() resolverConfig {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.config.servers != nil && time.Since(f.looked) < resolvConfAge {
		return f.config
	}
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	if err == nil && f.seen != nil && os.SameFile(f.seen, info) &&
		f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return f.config
	}
	content, err := readResolvConf(f.path)
	switch {
	case err == nil:
		f.seen = info
		f.config = parseResolvConf(content, localDomain())
	case f.config.servers == nil:
		f.config = parseResolvConf(nil, "")
	}
	return f.config
}

func readResolvConf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxResolvConf))
}

// localDomain returns what follows the first dot of the host's name: the search
// list of a file that has none. It is empty when the name has no dot.
func localDomain() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	_, domain, _ := strings.Cut(name, ".")
	return domain
}

// parseResolvConf reads a resolv.conf(5). domain is searched when the file has
// neither domain nor search. Lines and words that make no sense are skipped, as
// the C library does; without a name server it is the host itself.
func parseResolvConf(content []byte, domain string) resolverConfig {
	c := resolverConfig{ndots: 1, search: searchList([]string{domain})}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, maxResolvConf+1)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch keyword, values := fields[0], fields[1:]; keyword {
		case "nameserver":
			if addr, err := netip.ParseAddr(values[0]); err == nil && len(c.servers) < maxServers {
				c.servers = append(c.servers, netip.AddrPortFrom(addr, dnsPort))
			}
		case "domain":
			c.search = searchList(values[:1])
		case "search":
			c.search = searchList(values)
		case "options":
			for _, option := range values {
				c.setOption(option)
			}
		}
	}
	if len(c.servers) == 0 {
		c.servers = []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort),
			netip.AddrPortFrom(netip.IPv6Loopback(), dnsPort),
		}
	}
	return c
}

// searchList returns those of domains that are names.
func searchList(domains []string) []string {
	var list []string
	for _, domain := range domains {
		if domain = strings.TrimSuffix(domain, "."); validName(domain) && len(list) < maxSearch {
			list = append(list, domain)
		}
	}
	return list
}

func (c *resolverConfig) setOption(option string) {
	name, value, _ := strings.Cut(option, ":")
	switch name {
	case "ndots":
		c.ndots = optionValue(value, c.ndots, 0, maxNdots)
	case "timeout":
		c.timeout = time.Duration(optionValue(value, int(c.timeout/time.Second), 1, maxTryTimeout)) * time.Second
	case "attempts":
		c.attempts = optionValue(value, c.attempts, 1, maxAttempts)
	case "use-vc", "usevc", "tcp": // the latter two as Go's resolver and BSD have it
		c.useVC = true
	case "edns0":
		c.edns0 = true
	case "no-aaaa":
		c.noAAAA = true
	}
}

// optionValue reads a number and moves it into its range. What is no number
// leaves the value as it was.
func optionValue(text string, before, low, high int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return before
	}
	return min(max(n, low), high)
}
