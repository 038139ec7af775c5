package sandbox_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/internal/sandbox"
)

// raisedProcess is the variable that makes TestRaisedProcess the program under
// test.
const raisedProcess = "PROBE_AGENT_TEST_RAISED_PROCESS"

// TestRaiseNetRaw runs a copy of this test program, as a user without
// privileges, that has CAP_NET_RAW as a file capability.
func TestRaiseNetRaw(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: setting a file capability")
	}
	tests := []struct {
		name    string
		granted bool // to the file
		bounded bool // the bounding set lacks it
		want    string
	}{
		{"permitted by the file", true, false, "before: operation not permitted\nafter: open\n"},
		{"not in the bounding set", true, true, "before: operation not permitted\nafter: operation not permitted\n"},
		{"nothing granted", false, false, "before: operation not permitted\nafter: operation not permitted\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := copyOfThisProgram(t)
			if tt.granted {
				permitNetRaw(t, program)
			}
			out, err := runUnprivileged(t, program, tt.bounded)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.HasPrefix(out, tt.want) {
				t.Errorf("program said\n%s\nwant\n%s", out, tt.want)
			}
		})
	}
}

// TestRaisedProcess is nothing by itself: TestRaiseNetRaw runs it.
func TestRaisedProcess(t *testing.T) {
	if os.Getenv(raisedProcess) == "" {
		return
	}
	fmt.Println("before:", openOnAllThreads())
	if err := sandbox.RaiseNetRaw(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("after:", openOnAllThreads())
}

// openOnAllThreads opens a raw socket on several threads and tells the result,
// which must be the same everywhere.
func openOnAllThreads() string {
	const threads = 8
	results := make(chan error)
	for range threads {
		go func() {
			runtime.LockOSThread()
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
			if err == nil {
				err = unix.Close(fd)
			}
			results <- err
		}()
	}
	var said []string
	for range threads {
		word := "open"
		if err := <-results; err != nil {
			word = err.Error()
		}
		if len(said) == 0 || said[0] != word {
			said = append(said, word)
		}
	}
	return strings.Join(said, " and ")
}

func copyOfThisProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "program")
	content, err := os.ReadFile("/proc/self/exe")
	// The directory above is for its owner alone.
	if err := errors.Join(err, os.WriteFile(path, content, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// permitNetRaw does what `setcap cap_net_raw+p` does: struct vfs_cap_data of
// linux/capability.h, revision 2, without the effective flag.
func permitNetRaw(t *testing.T, path string) {
	t.Helper()
	const revision2 = 0x02000000
	data := binary.LittleEndian.AppendUint32(nil, revision2)
	data = binary.LittleEndian.AppendUint32(data, 1<<unix.CAP_NET_RAW)
	data = append(data, make([]byte, 12)...)
	if err := unix.Setxattr(path, "security.capability", data, 0); err != nil {
		t.Fatal(err)
	}
}

func runUnprivileged(t *testing.T, program string, bounded bool) (string, error) {
	t.Helper()
	type result struct {
		out []byte
		err error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if bounded {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_RAW, 0, 0, 0); err != nil {
				done <- result{nil, err}
				return
			}
		}
		cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestRaisedProcess$")
		cmd.Env = append(os.Environ(), raisedProcess+"=1", "GORACE=atexit_sleep_ms=0")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		done <- result{out, err}
	}()
	r := <-done
	return string(r.out), r.err
}
