package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"probe-agent/internal/rawsock"
)

// NoSockets is the finding when opening the raw sockets failed with err.
func NoSockets(err error) Finding {
	f := Finding{Name: "raw sockets", State: Missing, Detail: err.Error()}
	if errors.Is(err, rawsock.ErrPrivilege) {
		f.Detail = "not allowed"
		f.Advice = "see the capability above; if it is in effect, a seccomp or AppArmor profile may forbid them"
	}
	return f
}

// Sockets judges what the kernel granted to the raw sockets. root is the
// host's file system.
func Sockets(root fs.FS, status rawsock.Status) []Finding {
	none := status.IPv4 != nil && status.IPv6 != nil
	return []Finding{
		family("raw sockets IPv4", status.IPv4, none),
		family("raw sockets IPv6", status.IPv6, none),
		transmitStamps(status),
		receiveStamps(status),
		receiveBuffer(root, status),
	}
}

// family judges one family; none tells that neither can be used.
func family(name string, err error, none bool) Finding {
	if err == nil {
		return Finding{Name: name, State: OK, Detail: "open"}
	}
	f := Finding{Name: name, State: Warning, Detail: err.Error(), Advice: "targets of this family cannot be traced; enable it in the kernel if they should be"}
	if none {
		f.State = Missing
	}
	return f
}

func transmitStamps(status rawsock.Status) Finding {
	f := Finding{Name: "kernel timestamps, sent", State: OK, Detail: "mode: " + status.StampMode}
	if status.StampMode == "none" {
		f.State = Warning
		f.Advice = "times are taken in this process instead, and RTTs of a busy host come out milliseconds too long; use a kernel with SO_TIMESTAMPING (4.13 or later) that is not emulated"
	}
	return f
}

func receiveStamps(status rawsock.Status) Finding {
	if status.ReceiveStamps {
		return Finding{Name: "kernel timestamps, received", State: OK, Detail: "on"}
	}
	return Finding{
		Name: "kernel timestamps, received", State: Warning, Detail: "off",
		Advice: "times are taken in this process instead, and RTTs of a busy host come out milliseconds too long",
	}
}

func receiveBuffer(root fs.FS, status rawsock.Status) Finding {
	// The kernel doubles what is asked, and reports the double (socket(7)).
	const wanted = 2 * rawsock.DefaultReceiveBuffer
	f := Finding{Name: "receive buffer", State: OK, Detail: fmt.Sprintf("%d bytes", status.ReceiveBuffer)}
	if status.ReceiveBuffer >= wanted {
		return f
	}
	limit := "unknown"
	if text, err := fs.ReadFile(root, "proc/sys/net/core/rmem_max"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			limit = strconv.Itoa(n)
		}
	}
	f.State = Warning
	f.Detail += fmt.Sprintf(" of %d wanted; net.core.rmem_max is %s", wanted, limit)
	f.Advice = fmt.Sprintf("answers may be lost at high rates: sysctl -w net.core.rmem_max=%d", rawsock.DefaultReceiveBuffer)
	return f
}
