package verify

import (
	"debug/elf"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// machines are the processors of what is shipped, by GOARCH: as ELF and as
// QEMU name them.
var machines = map[string]struct {
	elf  elf.Machine
	qemu string
}{
	"amd64": {elf.EM_X86_64, "x86_64"},
	"arm64": {elf.EM_AARCH64, "aarch64"},
}

// programIsFor demands that a file is a static program for an architecture and
// that it works there: by itself or, for another architecture than this
// machine's, in QEMU's emulation of a process. That passes on what the program
// asks of the kernel, but for some options of sockets, so nothing is traced.
func programIsFor(t *testing.T, path, arch string) {
	t.Helper()
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Machine != machines[arch].elf {
		t.Errorf("it is for %v, want %v", program.Machine, machines[arch].elf)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("it needs a loader, so it is not static")
		}
	}
	t.Run("runs", func(t *testing.T) {
		run := []string{path}
		if arch != runtime.GOARCH {
			run = []string{needProgram(t, "qemu-"+machines[arch].qemu+"-static", "qemu-user-static"), path}
		}
		ask := func(args ...string) *exec.Cmd { return command(t, run[0], append(run[1:], args...)...) }
		if said := must(t, ask("version")); !strings.HasPrefix(said, "probe-agent "+version+"\n") || !strings.Contains(said, " linux/"+arch+"\n") {
			t.Errorf("version is\n%s", said)
		}
		if said := must(t, ask("trace", "--help")); !strings.Contains(said, "--packets-per-ttl") {
			t.Errorf("help is\n%s", said)
		}
		if r := execute(t, ask("check")); r.code > 1 || !strings.Contains(r.stdout, "capability CAP_NET_RAW") {
			t.Errorf("check: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
}
