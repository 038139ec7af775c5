package report

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine is where a run took place.
type Machine struct {
	Date   time.Time
	CPU    string // model
	Cores  int
	Guest  bool // runs under a hypervisor
	Memory string
	Kernel string
	Load   string // load average of the last minute, before the run
	Go     string
	Peers  []string // names with versions, or said to be missing
}

// ThisMachine describes the machine that the process runs on, as /proc tells
// it; what it does not tell stays empty.
func ThisMachine() Machine {
	m := Machine{Date: time.Now(), Cores: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go")}
	cpu := read("/proc/cpuinfo")
	m.CPU = field(cpu, "model name")
	m.Guest = strings.Contains(" "+field(cpu, "flags")+" ", " hypervisor ")
	var kibibytes int64
	if _, err := fmt.Sscanf(field(read("/proc/meminfo"), "MemTotal"), "%d kB", &kibibytes); err == nil {
		m.Memory = fmt.Sprintf("%.0f GiB", float64(kibibytes)/(1<<20))
	}
	m.Kernel = strings.TrimSpace(read("/proc/sys/kernel/osrelease"))
	m.Load, _, _ = strings.Cut(read("/proc/loadavg"), " ")
	return m
}

func read(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// field returns the first value of a key in lines of "key : value".
func field(content, key string) string {
	for line := range strings.Lines(content) {
		name, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Markdown writes the description as a list.
func (m Machine) Markdown(w io.Writer) error {
	kind := ""
	if m.Guest {
		kind = ", a virtual machine"
	}
	_, err := fmt.Fprintf(w, "- %s, %d cores, %s%s\n- Linux %s, Go %s\n- %s\n- run on %s, load average before it %s\n",
		m.CPU, m.Cores, m.Memory, kind, m.Kernel, m.Go, strings.Join(m.Peers, ", "), m.Date.UTC().Format(time.DateOnly), m.Load)
	return err
}
