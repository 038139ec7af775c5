package archtest

// A place says what one package, or a folder of packages, may import of this
// module. Imports point down: what stands on top may know what is below, never
// the other way round.
type place struct {
	dir   string   // "prober", or "internal/netsim/..." for a folder and all below
	own   []string // packages of this module that its code may import, same notation
	tests []string // further ones that its tests may import
}

// places lists every package of the module. An empty own list is a promise: the
// package can be read, tested and reused alone.
func places() []place {
	return []place{
		{
			dir: "cmd/probe-agent",
			own: []string{
				"access", "api", "api/envelope", "lookup", "prober",
				"internal/agent", "internal/daemon", "internal/inputfile", "internal/metrics", "internal/preflight", "internal/settings", "internal/text", "internal/usage",
			},
			tests: []string{"internal/certificate/certificatetest", "internal/cgroup", "internal/netsim"},
		},
		{
			dir: "internal/agent",
			own: []string{
				"access", "api", "lookup", "policy", "prober", "quota",
				"internal/backlog", "internal/certificate", "internal/cgroup", "internal/config", "internal/daemon", "internal/hostaddr", "internal/inputfile", "internal/metrics",
				"internal/preflight", "internal/pulse", "internal/rawsock", "internal/sandbox", "internal/settings",
			},
		},
		{
			dir: "internal/settings",
			own: []string{
				"access", "api", "lookup", "policy", "prober", "quota",
				"internal/certificate", "internal/config", "internal/hostaddr", "internal/inputfile", "internal/rawsock",
			},
		},
		{dir: "internal/usage", own: []string{"internal/settings"}},
		{dir: "internal/settings/generate", own: []string{"internal/settings"}},
		{dir: "access"},
		{dir: "policy"},
		{dir: "api/envelope", own: []string{"access"}},
		{dir: "api/body", own: []string{"api/envelope"}},
		{dir: "api", own: []string{"access", "api/body", "api/envelope", "api/v1", "policy", "prober", "quota", "lookup", "stats"}, tests: []string{"packet", "internal/netsim/..."}},
		{dir: "api/v1", own: []string{"lookup", "packet", "prober", "stats"}},
		{dir: "fleet", own: []string{"api", "prober"}, tests: []string{"internal/netsim/..."}},
		{dir: "lookup"},
		{dir: "quota"},
		{dir: "prober", own: []string{"packet", "stats"}, tests: []string{"internal/netsim/...", "internal/rawsock"}},
		{dir: "stats"},
		{dir: "packet"},
		{dir: "internal/rawsock", own: []string{"packet"}, tests: []string{"prober", "internal/netsim/..."}},
		{
			dir:   "internal/netsim/...",
			own:   []string{"packet", "internal/netsim/..."},
			tests: []string{"api", "prober", "stats", "internal/rawsock"},
		},
		{dir: "internal/e2e", tests: []string{"api", "api/envelope", "api/v1", "packet", "prober", "stats", "internal/certificate/certificatetest", "internal/rawsock", "internal/netsim/..."}},
		{dir: "internal/certificate", own: []string{"internal/inputfile"}, tests: []string{"internal/certificate/certificatetest"}},
		{dir: "internal/certificate/certificatetest"},
		{dir: "internal/config", own: []string{"internal/inputfile"}},
		{dir: "internal/inputfile"},
		{dir: "internal/hostaddr"},
		{dir: "internal/daemon"},
		{dir: "internal/pulse", own: []string{"prober"}},
		{
			dir:   "internal/metrics",
			own:   []string{"prober", "lookup", "quota", "internal/rawsock"},
			tests: []string{"api"},
		},
		{dir: "internal/preflight", own: []string{"internal/rawsock", "packet"}},
		{dir: "internal/sandbox"},
		{dir: "internal/backlog"},
		{dir: "internal/cgroup"},
		{dir: "internal/text", own: []string{"lookup", "prober", "stats"}, tests: []string{"packet"}},
		{dir: "internal/panics"},
		{dir: "internal/archtest"},
		{dir: "bench", own: []string{"bench/...", "prober", "packet", "internal/rawsock", "internal/netsim/..."}},
		{dir: "bench/capture"},
		{dir: "bench/peer"},
		{dir: "bench/report"},
		{dir: "bench/soak", own: []string{"internal/netsim/..."}},
		{dir: "deploy/image"},
	}
}

// A ban keeps an import out of some packages.
type ban struct {
	in      []string // packages that the ban holds in
	except  []string // packages or files (by path pattern) that it spares
	imports []string // import paths; "x/..." also means everything below x
	tests   bool     // holds in tests as well
	why     string
}

func bans() []ban {
	return []ban{
		{
			in:      []string{"packet"},
			imports: []string{"net", "net/http", "time", "context", "sync/...", "log/...", "os/...", "syscall", "golang.org/x/sys/...", "golang.org/x/net/..."},
			why:     "wire formats only: no socket, clock, goroutine or log",
		},
		{
			in:      []string{"access"},
			imports: []string{"net/...", "os/...", "log/..."},
			why:     "who may ask is decided without HTTP, files and logs, so that no secret can get there",
		},
		{
			in:      []string{"quota"},
			imports: []string{"net/...", "os/...", "log/..."},
			why:     "how much may be asked is decided without HTTP",
		},
		{
			in:      []string{"stats"},
			imports: []string{"net/...", "context", "sync", "log/...", "os", "encoding/..."},
			why:     "pure arithmetic",
		},
		{
			in:      []string{"policy"},
			imports: []string{"net", "net/http", "os/...", "time", "context", "log/...", "golang.org/x/..."},
			why:     "a decision about an address depends on rules, not on the host that it is made on",
		},
		{
			in:      []string{"prober"},
			imports: []string{"net/http", "os/...", "log/...", "encoding/json", "golang.org/x/net/...", "golang.org/x/sys/..."},
			why:     "the engine reaches the network through its Transport only, and leaves logging and rendering to whoever calls it",
		},
		{
			in:      []string{"api/v1"},
			imports: []string{"net/http", "os", "log/...", "sync", "context"},
			why:     "a result in, a value out: no connection, clock, goroutine or log",
		},
		{
			in:      []string{"api"},
			imports: []string{"syscall", "golang.org/x/net/...", "golang.org/x/sys/..."},
			why:     "HTTP knows requests and results, not sockets",
		},
		{
			in: []string{"..."}, except: []string{"packet/craft*.go", "internal/netsim/..."},
			imports: []string{"github.com/google/gopacket/..."},
			why:     "gopacket crafts templates and is the oracle of tests; it must not read received bytes, where it panics and loses data",
		},
		{
			in:      []string{"..."},
			imports: []string{"github.com/google/gopacket/layers"},
			why:     "it fills megabytes of tables when a process starts; tests may use it",
		},
		{
			in: []string{"..."}, except: []string{"cmd/probe-agent", "internal/settings", "internal/usage"},
			imports: []string{"github.com/alecthomas/kong"},
			why:     "flags are the business of the commands and of their settings",
		},
		{
			in: []string{"..."}, except: []string{"api"},
			imports: []string{"github.com/go-chi/..."},
			why:     "routes are the api's business",
		},
		{
			in: []string{"..."}, except: []string{"lookup"},
			imports: []string{"github.com/miekg/dns/...", "golang.org/x/net/idna"},
			why:     "one resolver, for targets and for hops",
		},
		{
			in: []string{"..."}, except: []string{"internal/metrics"},
			imports: []string{"github.com/prometheus/..."},
			why:     "what is counted does not depend on who reads it",
		},
		{
			in: []string{"..."}, except: []string{"internal/config", "internal/netsim/..."},
			imports: []string{"go.yaml.in/yaml/...", "gopkg.in/yaml.v3"},
			why:     "one package reads the configuration file, so that every error in it is told the same way; scenarios of simulated networks are test data",
		},
		{
			in:      []string{"..."},
			except:  []string{"internal/netsim/...", "internal/certificate/certificatetest"},
			imports: []string{"testing/...", "github.com/google/go-cmp/...", "pgregory.net/rapid", "go.uber.org/goleak", "github.com/rogpeppe/go-internal/..."},
			why:     "test code stays out of the program",
		},
		{
			in: []string{"..."}, except: []string{"internal/netsim/...", "bench", "bench/soak"},
			imports: []string{"probe-agent/internal/netsim/...", "github.com/vishvananda/...", "github.com/google/nftables/..."},
			why:     "simulated networks are for tests; the agent itself configures no network",
		},
		{
			in: []string{"..."}, imports: []string{"unsafe"},
			except: []string{"internal/rawsock", "internal/netsim/...", "bench/flood.go", "internal/hostaddr/hostaddr_linux_test.go"},
			tests:  true,
			why:    "only system calls need it",
		},
		{
			in: []string{"..."}, imports: []string{"log", "math/rand", "io/ioutil"}, tests: true,
			why: "superseded by log/slog, math/rand/v2, io and os",
		},
	}
}

// vagueNames say nothing about what a package is for, so everything ends up in
// them.
func vagueNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "shared", "base", "lib"}
}
