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
		routeTable(status),
		byProtocol(status),
		loopback(status),
		foreignErrors(status),
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

func routeTable(status rawsock.Status) Finding {
	f := Finding{Name: "routing table", State: OK, Detail: "open"}
	if status.RouteTable != nil {
		f.State, f.Detail = Warning, status.RouteTable.Error()
		f.Advice = "routing rules by protocol or port, and routes of equal cost, may send probes from an address of another interface; " +
			"add AF_NETLINK to RestrictAddressFamilies= of the systemd unit, or allow socket(AF_NETLINK) in the seccomp profile. `serve` does not start without it"
	}
	return f
}

func byProtocol(status rawsock.Status) Finding {
	f := Finding{Name: "routing by protocol", State: OK, Detail: "supported"}
	if !status.ByProtocol {
		f.State, f.Detail = Warning, "not supported by this kernel"
		f.Advice = "matters only with rules like `ip rule add ipproto icmp`: probes do not follow them; use Linux 6.4 or later"
	}
	return f
}

func loopback(status rawsock.Status) Finding {
	f := Finding{Name: "loopback interface", State: OK, Detail: "up"}
	if status.LoopbackDown {
		f.State, f.Detail = Warning, "lo is down"
		f.Advice = "this host's own addresses cannot be traced, and kernel timestamps could not be tried: `ip link set lo up`"
	}
	return f
}

func foreignErrors(status rawsock.Status) Finding {
	f := Finding{Name: "forged ICMP errors", State: OK, Detail: "refused by the kernel"}
	switch {
	case status.TakesForeignErrors:
		f.State, f.Detail = Warning, "taken by this kernel when they quote IP protocol 255"
		f.Advice = "anybody can make single sends fail, which are then tried again, so traces go on; use a kernel of February 2026 or later"
	case status.LoopbackDown:
		f.Detail = "not tried: lo is down"
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
