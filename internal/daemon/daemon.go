package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Config is what a process does while it runs, and how it ends.
type Config struct {
	Log     *slog.Logger
	Signals *Signals
	// Servers serve until the end, the last of them longest: what watches the
	// process comes behind what it is watched doing.
	Servers []Server
	// Watch are called at the start, each on a goroutine of its own, and
	// return soon after their context ends, which is at the end.
	Watch []func(context.Context)
	// Reload is called at SIGHUP; see Reloader. Its context ends when the process
	// begins to end, which does not wait for it.
	Reload func(context.Context) (waiting []string, err error)

	// Healthy says whether the process does its work; the service manager's
	// watchdog is told as long as it does. It returns soon after its context
	// ends. Nil: it is never told.
	Healthy func(context.Context) error

	// Drain refuses new work from now on; the channel is closed when all work
	// under way is done.
	Drain func() <-chan struct{}
	// Grace is how long that may take.
	Grace time.Duration
	// Cut ends the work under way that took longer, each with an answer.
	Cut func()
}

// answerTime is how long requests may take to answer that were cut off.
const answerTime = 5 * time.Second

// Run serves until a signal comes, and then ends what is under way: new work
// is refused at once, running work has the grace, and what is not done by then
// is cut. A second signal ends the process. Run returns nil when it ended
// because of a signal.
func Run(c Config) error {
	life, end := context.WithCancel(context.Background())
	var owned sync.WaitGroup
	defer owned.Wait()
	defer end()
	for _, watch := range c.Watch {
		owned.Go(func() { watch(life) })
	}
	failed := make(chan error, len(c.Servers))
	for i := range c.Servers {
		owned.Go(func() {
			if err := c.Servers[i].serve(); err != nil {
				failed <- err
			}
		})
	}
	owned.Go(func() { c.reloads(life) })
	owned.Go(func() { c.manager().watchdog(life, c.Healthy) })
	c.manager().ready()

	var broken error
	select {
	case broken = <-failed:
	case <-c.Signals.Stop().Done():
		c.finish()
	}
	return errors.Join(broken, c.close())
}

func (c *Config) manager() manager { return manager{c.Log} }

// reloads does what SIGHUP asks for until the process begins to end; from then
// on it takes the signal, whose usual effect would be to end it at once.
func (c *Config) reloads(life context.Context) {
	for {
		select {
		case <-life.Done():
			return
		case <-c.Signals.reload:
		}
		stop := c.Signals.Stop()
		if stop.Err() != nil {
			continue
		}
		c.manager().reloading()
		done := make(chan struct{})
		var waiting []string
		var err error
		go func() {
			defer close(done)
			waiting, err = c.Reload(stop)
		}()
		// The end of the process does not wait for a reload, whatever it waits for.
		select {
		case <-done:
		case <-stop.Done():
		}
		if stop.Err() != nil {
			continue
		}
		c.tell(waiting, err)
		c.manager().ready()
	}
}

// tell logs what came of a reload.
func (c *Config) tell(waiting []string, err error) {
	if err != nil {
		// A line for each fault, as they come joined.
		for fault := range strings.Lines(err.Error()) {
			c.Log.Error("configuration refused, the old one stays in use", "error", strings.TrimSuffix(fault, "\n"))
		}
		return
	}
	for _, name := range waiting {
		c.Log.Warn("setting has changed and takes a restart", "setting", name)
	}
	c.Log.Info("configuration reloaded")
}

// finish ends the work under way. Until it is done the listeners stay open, so
// that whoever comes meanwhile is told to try elsewhere instead of finding a
// closed door.
func (c *Config) finish() {
	c.Signals.nextEnds()
	c.manager().stopping()
	drained := c.Drain()
	c.Log.Info("shutting down", "grace", c.Grace)
	if within(drained, c.Grace) {
		return
	}
	c.Log.Warn("requests are cut off", "grace", c.Grace)
	c.Cut()
	if !within(drained, answerTime) {
		c.Log.Error("requests did not end when they were cut off")
	}
}

func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// close closes the servers, connections that are still busy by force.
func (c *Config) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	var errs []error
	for i := range c.Servers {
		server := c.Servers[i].HTTP
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
