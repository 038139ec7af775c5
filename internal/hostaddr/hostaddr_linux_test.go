package hostaddr

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

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
