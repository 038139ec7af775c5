package daemon

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signals are the signals that a process has been sent since CatchSignals.
type Signals struct {
	stop   context.Context // ends with the first signal to end
	forget context.CancelFunc
	reload chan os.Signal
}

// CatchSignals catches SIGTERM, SIGINT and SIGHUP from now on. It comes first
// in a program: until then a SIGHUP ends it. The caller must Close it.
//
// SIGPIPE is ignored from now on, after Close too: when the reader of standard
// error or standard output goes away, writes fail with EPIPE and the process
// goes on. By default Go ends a process that writes to a broken pipe there,
// which systemd counts as a clean exit and does not restart.
func CatchSignals() *Signals {
	signal.Ignore(syscall.SIGPIPE)
	s := &Signals{
		// Of several requests to reload that come during a reload one is kept:
		// it reads what all of them are about.
		reload: make(chan os.Signal, 1),
	}
	s.stop, s.forget = signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(s.reload, syscall.SIGHUP)
	return s
}

// Stop ends with the first SIGTERM or SIGINT.
func (s *Signals) Stop() context.Context { return s.stop }

// nextEnds gives SIGTERM and SIGINT their usual effect again, which is to end
// the process. SIGHUP is still caught.
func (s *Signals) nextEnds() { s.forget() }

// Close catches signals no longer.
func (s *Signals) Close() {
	s.forget()
	signal.Stop(s.reload)
}
