package cgroup

import (
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	const (
		mounts2 = "24 1 0:22 / /proc rw - proc proc rw\n30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
		mounts1 = "31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		docker1 = "32 30 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
		hidden  = "32 30 0:28 /../other /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
	)
	tests := []struct {
		name, group, mounts string
		files               map[string]string
		want                int64 // 0: none
	}{
		{"version 2, unit", "0::/system.slice/a.service\n", mounts2, map[string]string{"system.slice/a.service/memory.max": "536870912\n", "system.slice/a.service/memory.high": "max\n"}, 536870912},
		{"version 2, slice above", "0::/system.slice/a.service\n", mounts2, map[string]string{"system.slice/a.service/memory.max": "max\n", "system.slice/memory.max": "1048576\n"}, 1048576},
		{"version 2, high", "0::/a\n", mounts2, map[string]string{"a/memory.max": "2000\n", "a/memory.high": "1000\n"}, 1000},
		{"version 2, container", "0::/\n", mounts2, map[string]string{"memory.max": "4096\n"}, 4096},
		{"version 2, none", "0::/a\n", mounts2, map[string]string{"a/memory.max": "max\n"}, 0},
		{"version 1", "5:cpu:/x\n4:memory:/a/b\n0::/x\n", mounts1, map[string]string{"memory/a/b/memory.limit_in_bytes": "9223372036854771712\n", "memory/a/memory.limit_in_bytes": "8192\n", "cpu/x/memory.limit_in_bytes": "1\n"}, 8192},
		{"version 1, container", "4:memory:/docker/abc\n", docker1, map[string]string{"memory/memory.limit_in_bytes": "8192\n"}, 8192},
		{"version 1, another path", "4:memory:/kubepods/x\n", hidden, map[string]string{"memory/memory.limit_in_bytes": "8192\n"}, 8192},
		{"a prefix of the name only", "4:memory:/docker/abcdef\n", docker1, map[string]string{"memory/def/memory.limit_in_bytes": "1\n", "memory/memory.limit_in_bytes": "8192\n"}, 8192},
		{"nothing mounted", "0::/a\n", "", nil, 0},
		{"malformed", "0:\nx", "a b c\n- cgroup2\n", nil, 0},
	}
	for _, tt := range tests {
		root := fstest.MapFS{"proc/self/cgroup": {Data: []byte(tt.group)}, "proc/self/mountinfo": {Data: []byte(tt.mounts)}}
		for name, content := range tt.files {
			root["sys/fs/cgroup/"+name] = &fstest.MapFile{Data: []byte(content)}
		}
		if got, ok := MemoryLimit(root); ok != (tt.want != 0) || ok && got != tt.want {
			t.Errorf("%s: %d, %t; want %d", tt.name, got, ok, tt.want)
		}
	}
	if _, ok := MemoryLimit(fstest.MapFS{}); ok {
		t.Error("a limit without /proc")
	}
}
