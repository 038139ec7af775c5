package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
	libcap "kernel.org/pub/linux/libs/security/libcap/cap"
)

// Confine gives up every capability on every thread of the process, for good:
// it also sets no_new_privs, with which no program that is executed from here
// on can gain any, not even root's or a set-user-ID one (prctl(2),
// PR_SET_NO_NEW_PRIVS). Descriptors that are open stay usable. A process that
// runs as root stays user 0, with the access to files that this user has as
// their owner. On error the process may be confined in part.
func Confine() error {
	if _, err := libcap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: setting no_new_privs: %w", err)
	}
	// The ambient set loses what is no longer permitted and inheritable
	// (capabilities(7)).
	if err := libcap.NewSet().SetProc(); err != nil {
		return fmt.Errorf("sandbox: dropping capabilities: %w", err)
	}
	return nil
}
