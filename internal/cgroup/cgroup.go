// Package cgroup reads what the control groups of the process grant it
// (cgroups(7)), in version 1 and 2 of their interface.
package cgroup

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// unlimited is what version 1 writes for no limit, and more.
const unlimited = 1 << 62

// MemoryLimit returns the lowest limit of memory, in bytes, that holds for the
// process: of its control group and those above, as far as they are mounted.
// Those at which the kernel throttles (memory.high) count too. ok is false when
// there is none, or none can be read. root is the file system at /.
func MemoryLimit(root fs.FS) (limit int64, ok bool) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return 0, false
	}
	limit = unlimited
	for _, m := range memoryMounts(mounts) {
		group, found := groupOf(groups, m.version)
		if !found {
			continue
		}
		limit = min(limit, m.limit(root, group))
	}
	return limit, limit < unlimited
}

// mount is where a hierarchy that limits memory is mounted.
type mount struct {
	version int
	root    string // the group that is seen at the mount point
	point   string
}

// memoryMounts reads /proc/self/mountinfo (proc_pid_mountinfo(5)).
func memoryMounts(info []byte) []mount {
	var mounts []mount
	lines := bufio.NewScanner(bytes.NewReader(info))
	for lines.Scan() {
		general, special, _ := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(general), strings.Fields(special)
		if len(left) < 5 || len(right) < 3 {
			continue
		}
		m := mount{root: left[3], point: left[4]}
		switch {
		case right[0] == "cgroup2":
			m.version = 2
		case right[0] == "cgroup" && slices.Contains(strings.Split(right[2], ","), "memory"):
			m.version = 1
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// groupOf returns the path of the process's group in the hierarchy of that
// version, from /proc/self/cgroup.
func groupOf(groups []byte, version int) (group string, ok bool) {
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if version == 2 && fields[0] == "0" && fields[1] == "" ||
			version == 1 && slices.Contains(strings.Split(fields[1], ","), "memory") {
			return fields[2], true
		}
	}
	return "", false
}

// limit returns the lowest limit of group and the groups above that are seen.
// A container may see its own group at the mount point, under another path than
// that in /proc/self/cgroup.
func (m mount) limit(root fs.FS, group string) int64 {
	below, seen := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
	if !seen || below != "" && below[0] != '/' {
		below = ""
	}
	files := []string{"memory.max", "memory.high"}
	if m.version == 1 {
		files = []string{"memory.limit_in_bytes"}
	}
	limit := int64(unlimited)
	for at := path.Clean("/" + below); ; at = path.Dir(at) {
		for _, file := range files {
			text, err := fs.ReadFile(root, strings.TrimPrefix(path.Join(m.point, at, file), "/"))
			if err != nil {
				continue // the root group has none
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				limit = min(limit, n)
			}
		}
		if at == "/" {
			return limit
		}
	}
}
