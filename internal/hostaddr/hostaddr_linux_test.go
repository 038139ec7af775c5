package hostaddr

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is watched is told as it changes, well before it would be read again
// anyway.
func TestWatch(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: makes a network namespace")
	}
	ctx, cancel := context.WithTimeout(t.Context(), rereadEvery/2)
	defer cancel()
	steps := []struct {
		address string // that must be there, or not
		present bool
		then    []string // ip(8)
	}{
		{"192.0.2.7/24", false, []string{"address", "add", "192.0.2.7/24", "dev", "lo"}},
		{"192.0.2.7/24", true, []string{"address", "add", "2001:db8::7/64", "dev", "lo", "nodad"}},
		{"2001:db8::7/64", true, []string{"address", "delete", "192.0.2.7/24", "dev", "lo"}},
		{"192.0.2.7/24", false, nil},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with its namespace.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
			return
		}
		w, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		step := func(addrs []netip.Prefix, err error) {
			if err != nil {
				t.Error(err)
			}
			if len(steps) == 0 || slices.Contains(addrs, netip.MustParsePrefix(steps[0].address)) != steps[0].present {
				return
			}
			then := steps[0].then
			if steps = steps[1:]; then == nil {
				cancel()
			} else if out, err := exec.Command("ip", then...).CombinedOutput(); err != nil {
				t.Errorf("ip %q: %v: %s", then, err, out)
				cancel()
			}
		}
		step(w.Addrs(), nil)
		w.Watch(ctx, step)
	}()
	<-done
	if len(steps) > 0 {
		t.Errorf("after %v still to come: %v", rereadEvery/2, steps)
	}
}

const refusedChild = "HOSTADDR_TEST_REFUSED"

// Where netlink is refused, the error says what is missing and what to do.
func TestNetlinkRefused(t *testing.T) {
	if os.Getenv(refusedChild) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestNetlinkRefused$", "-test.v")
		child.Env = append(os.Environ(), refusedChild+"=1")
		output, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "--- PASS: TestNetlinkRefused") {
			t.Errorf("%v:\n%s", err, output)
		}
		return
	}
	refuseNetlink(t)
	_, err := Open()
	if !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Fatalf("error %v", err)
	}
	for _, hint := range []string{"netlink", "RestrictAddressFamilies=", "seccomp"} {
		if !strings.Contains(err.Error(), hint) {
			t.Errorf("error %q does not say %q", err, hint)
		}
	}
}

// refuseNetlink makes socket(AF_NETLINK) fail for the process, as systemd's
// RestrictAddressFamilies= does.
func refuseNetlink(t *testing.T) {
	t.Helper()
	const numberAt, argumentAt = 0, 16 // in struct seccomp_data; little endian
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberAt},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: argumentAt},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_NETLINK, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		t.Fatal(errno)
	}
}

// The broadcast address of a network that the host is in is told from its own
// addresses, and from those of networks without one.
func TestBroadcast(t *testing.T) {
	var addrs []netip.Prefix
	for _, own := range []string{"192.0.2.7/24", "198.51.100.1/31", "203.0.113.1/32", "10.0.0.255/23", "2001:db8::ffff/64"} {
		addrs = append(addrs, netip.MustParsePrefix(own))
	}
	for addr, want := range map[string]string{
		"192.0.2.255": "192.0.2.0/24", "10.0.1.255": "10.0.0.0/23",
		"10.0.0.255": "", "192.0.2.7": "", "192.0.2.254": "", "198.51.100.1": "", "203.0.113.1": "", "203.0.113.255": "", "2001:db8::ffff": "",
	} {
		network, is := Broadcast(netip.MustParseAddr(addr), addrs)
		if is != (want != "") || is && network.String() != want {
			t.Errorf("%s: %v %v, want %q", addr, network, is, want)
		}
	}
}

func TestList(t *testing.T) {
	addrs, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if !a.IsValid() || a.Addr().Is4In6() {
			t.Errorf("address %v", a)
		}
	}
	if !slices.IsSortedFunc(addrs, netip.Prefix.Compare) {
		t.Errorf("no order in %v", addrs)
	}
}

// Nothing is told when nothing changes, and the end of the context is its end.
func TestWatchEnds(t *testing.T) {
	w, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := time.Now()
	w.Watch(ctx, func(addrs []netip.Prefix, err error) { t.Errorf("told %v, %v", addrs, err) })
	if took := time.Since(started); took > rereadEvery/2 {
		t.Errorf("took %v", took)
	}
	w.Close()
}
