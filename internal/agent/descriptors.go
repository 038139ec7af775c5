package agent

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"probe-agent/api"
)

const (
	// minReserve and maxReserve bound the descriptors that connections leave to
	// the agent: for name lookups, the files of a reload, connections of the
	// admin listener, and connections that are being closed for others.
	minReserve, maxReserve = 32, 1024
	// adminConnections bounds those of the admin listener, which a few programs
	// use.
	adminConnections = 16
	// descriptorGap is how many free numbers in a row end the count of open
	// descriptors.
	descriptorGap = 1024
)

// limitConnections bounds the connections of every server. The descriptor limit
// may be too low for the setting: then accept(2) would fail, for health checks
// too, instead of closing idle connections. It is called when everything that
// stays open is open.
func (a *agent) limitConnections() error {
	wanted := int(a.settings.MaxConnections)
	limit, open, err := descriptors()
	if err != nil {
		return err
	}
	most := connectionsWithin(limit, open)
	if most < 1 {
		return fmt.Errorf("the limit of %d file descriptors (RLIMIT_NOFILE) is too low: %d are open before the first connection", limit, open)
	}
	if most < wanted {
		a.log.Warn("fewer connections than max-connections: the limit of file descriptors (RLIMIT_NOFILE) is too low",
			"connections", most, "max_connections", wanted, "descriptors", limit, "open", open)
	}
	for i := range a.servers {
		bound := min(wanted, most)
		if i > 0 {
			bound = adminConnections
		}
		api.LimitConnections(a.servers[i].HTTP, bound)
	}
	return nil
}

// connectionsWithin returns how many connections a process may have that has
// open descriptors of limit; below 1 if it is too low.
func connectionsWithin(limit, open int) int {
	left := limit - open
	reserve := min(max(left/4, minReserve), maxReserve, max(left/2, 0))
	return left - reserve
}

// descriptors returns how many file descriptors the process may have, and how
// many it has. Package os has raised the soft limit to the hard one.
func descriptors() (limit, open int, err error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, 0, fmt.Errorf("limit of file descriptors: %w", err)
	}
	limit = int(min(r.Cur, math.MaxInt32))
	// Not by /proc, which a chroot may lack. New descriptors get the lowest free
	// number, so the open ones lie close together.
	for fd, closed := 0, 0; fd < limit && closed < descriptorGap; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			closed++
			continue
		}
		open, closed = open+1, 0
	}
	return limit, open, nil
}
