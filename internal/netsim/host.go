package netsim

import (
	"syscall"
	"time"
)

// Host is the machine that probes, and what goes wrong on it. It concerns the
// in-memory stage, but for Source, which the TUN stage uses too. The zero
// value is a host with both families and nothing wrong.
type Host struct {
	// Source is the address that packets leave from; by default n65537
	// (198.19.0.1, 2001:2::1:1). A host whose Source lacks a family has no
	// route in it.
	Source Address `yaml:"source"`
	// Seed feeds the losses of stamps.
	Seed uint64 `yaml:"seed"`
	// Queue is how many packets a receive queue holds; what comes on top is
	// dropped. Default 4096.
	Queue int `yaml:"queue"`
	// MTU of the link: longer packets are refused with EMSGSIZE. 0: any.
	MTU int `yaml:"mtu"`
	// Transmit and Receive are the kernel's timestamps.
	Transmit Stamping `yaml:"transmit_stamps"`
	Receive  Stamping `yaml:"receive_stamps"`
	// Steps are jumps of the wall clock that the stamps are taken from.
	Steps []ClockStep `yaml:"clock_steps"`
	// Firewall is a stateful one on the prober's link; default none.
	Firewall Firewall `yaml:"firewall"`
	// Faults are packets refused on sending.
	Faults []SendFault `yaml:"send_faults"`
}

// Stamping is how one side's timestamps are.
type Stamping struct {
	Absent bool          `yaml:"absent"` // there are none
	Loss   float64       `yaml:"loss"`   // share of packets that get none, 0 to 1
	Skew   time.Duration `yaml:"skew"`   // added to each
	Delay  time.Duration `yaml:"delay"`  // transmit only: until a stamp can be read
}

// ClockStep sets the wall clock forward, or back when By is negative.
type ClockStep struct {
	At time.Duration `yaml:"at"` // since the start of the transport
	By time.Duration `yaml:"by"`
}

// SendFault refuses packets: those picked, or all, in a span of time. Refused
// packets count as well, so that a second attempt is the next packet.
type SendFault struct {
	Occurrence `yaml:",inline"`
	Error      Errno         `yaml:"error"`
	From       time.Duration `yaml:"from"`
	Until      time.Duration `yaml:"until"` // 0: for ever
}

// Errno is a system call's error, written by its name.
type Errno syscall.Errno

// UnmarshalText reads the name of an error that sending can end with.
func (e *Errno) UnmarshalText(text []byte) error {
	return pick(e, text, map[string]Errno{
		"EAGAIN":       Errno(syscall.EAGAIN),
		"ENOBUFS":      Errno(syscall.ENOBUFS),
		"EPERM":        Errno(syscall.EPERM),
		"EACCES":       Errno(syscall.EACCES),
		"EINVAL":       Errno(syscall.EINVAL),
		"EMSGSIZE":     Errno(syscall.EMSGSIZE),
		"ENETDOWN":     Errno(syscall.ENETDOWN),
		"ENETUNREACH":  Errno(syscall.ENETUNREACH),
		"EHOSTUNREACH": Errno(syscall.EHOSTUNREACH),
	})
}

func (h *Host) source() Address {
	if h.Source.IsZero() {
		return N(sourceNumber)
	}
	return h.Source
}
