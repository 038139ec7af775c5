package daemon

import (
	"context"
	"log/slog"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// manager is the service manager that started the process, told by
// sd_notify(3); nobody when NOTIFY_SOCKET is not set.
type manager struct{ log *slog.Logger }

// tell sends assignments, one a line. A manager that cannot be told is no
// reason to stop serving: it will do what it thinks fit.
func (m manager) tell(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		m.log.Warn("the service manager could not be told", "state", state, "error", err)
	}
}

func (m manager) ready()    { m.tell(systemd.SdNotifyReady) }
func (m manager) stopping() { m.tell(systemd.SdNotifyStopping) }

// reloading begins what ready ends; Type=notify-reload wants the time too.
func (m manager) reloading() {
	m.tell(systemd.SdNotifyReloading + "\n" + systemd.SdNotifyMonotonicUsec())
}

// watchdog tells that the process works, twice in each interval that the
// manager has set, as long as healthy says so. It returns when ctx ends, or at
// once when there is no watchdog.
func (m manager) watchdog(ctx context.Context, healthy func(context.Context) error) {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("the service manager's watchdog cannot be served", "error", err)
		return
	}
	if interval == 0 || healthy == nil {
		return
	}
	m.log.Debug("the service manager's watchdog is served", "interval", interval)
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		look, done := context.WithTimeout(ctx, interval/2)
		err := healthy(look)
		done()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.log.Error("not healthy: the service manager's watchdog is not told", "error", err)
		default:
			m.tell(systemd.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
