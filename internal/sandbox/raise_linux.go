package sandbox

import (
	"errors"
	"fmt"

	libcap "kernel.org/pub/linux/libs/security/libcap/cap"
)

// RaiseNetRaw puts CAP_NET_RAW in effect on every thread of the process, where
// the kernel permits it but has not done so. Where it is not permitted nothing
// happens: opening the raw sockets tells, and says what to do.
//
// A program with the file capability cap_net_raw+p starts this way (capabilities(7),
// "Transformation of capabilities during execve"). With +ep the kernel would refuse to
// start it at all where the bounding set lacks the capability, as in a container without
// --cap-add=NET_RAW, and the program could not say what is missing.
func RaiseNetRaw() error {
	set := libcap.GetProc()
	permitted, err := set.GetFlag(libcap.Permitted, libcap.NET_RAW)
	effective, errEffective := set.GetFlag(libcap.Effective, libcap.NET_RAW)
	if err := errors.Join(err, errEffective); err != nil {
		return fmt.Errorf("sandbox: reading CAP_NET_RAW: %w", err)
	}
	if !permitted || effective {
		return nil
	}
	if err := set.SetFlag(libcap.Effective, true, libcap.NET_RAW); err != nil {
		return fmt.Errorf("sandbox: raising CAP_NET_RAW: %w", err)
	}
	if err := set.SetProc(); err != nil {
		return fmt.Errorf("sandbox: raising CAP_NET_RAW: %w", err)
	}
	return nil
}
