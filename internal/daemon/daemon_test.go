package daemon

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A reload that does not return, whatever it waits for, does not delay the end
// of the process.
func TestShutdownDuringReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := &Signals{reload: make(chan os.Signal, 1)}
		signals.stop, signals.forget = context.WithCancel(t.Context())
		letGo, ended := make(chan struct{}), make(chan error, 1)
		began := time.Now()
		go func() {
			ended <- Run(Config{
				Log:     slog.New(slog.DiscardHandler),
				Signals: signals,
				Reload:  func(context.Context) ([]string, error) { <-letGo; return nil, nil },
				Drain:   func() <-chan struct{} { done := make(chan struct{}); close(done); return done },
				Grace:   time.Minute,
				Cut:     func() {},
			})
		}()
		signals.reload <- syscall.SIGHUP
		synctest.Wait() // it reloads
		signals.forget()
		if err := <-ended; err != nil || time.Since(began) != 0 {
			t.Errorf("ended with %v after %v, want nil at once", err, time.Since(began))
		}
		close(letGo)
	})
}
