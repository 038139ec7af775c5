package preflight

import (
	"bufio"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// capNetRaw is the number of CAP_NET_RAW (capability.h).
const capNetRaw = 13

// Capability finds whether this process has CAP_NET_RAW in effect. root is the
// host's file system.
func Capability(root fs.FS) Finding {
	f := Finding{Name: "capability CAP_NET_RAW"}
	effective, err := effectiveCapabilities(root)
	switch {
	case err != nil:
		f.State, f.Detail = Warning, "unknown: "+err.Error()
		f.Advice = "mount /proc; the raw sockets below tell the same"
	case effective&(1<<capNetRaw) == 0:
		f.State, f.Detail = Missing, "not in effect for this process"
		f.Advice = "run as root, or grant it: `setcap cap_net_raw+ep BINARY`, AmbientCapabilities=CAP_NET_RAW in a systemd unit, or --cap-add=NET_RAW for a container"
	default:
		f.State, f.Detail = OK, "in effect"
	}
	return f
}

// effectiveCapabilities reads the set of proc_pid_status(5).
func effectiveCapabilities(root fs.FS) (uint64, error) {
	file, err := root.Open("proc/self/status")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if set, ok := strings.CutPrefix(lines.Text(), "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(set), 16, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("no CapEff in /proc/self/status")
}
