//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// pinned runs f on a locked OS thread and puts the thread back into the
// network namespace that it was in, however f ends. f may move the thread.
func pinned(f func() error) (err error) {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("kernel: this thread's namespace: %w", err)
	}
	defer func() {
		if back := netns.Set(home); back != nil {
			// The thread stays locked, so that it ends with its goroutine
			// and nothing else ever runs in the wrong namespace.
			err = errors.Join(err, fmt.Errorf("kernel: back to the thread's namespace: %w", back))
		} else {
			runtime.UnlockOSThread()
		}
		err = errors.Join(err, home.Close())
	}()
	return f()
}
