package agent

import (
	"context"
	"log/slog"
	"time"

	"probe-agent/internal/rawsock"
)

// lossesEvery is how often the sockets are asked what they have lost.
const lossesEvery = 10 * time.Second

// watchLosses logs what the sockets lose, as long as ctx lasts: an answer that
// the host dropped must not pass for loss on the path unsaid.
func watchLosses(ctx context.Context, log *slog.Logger, status func() rawsock.Status) {
	tick := time.NewTicker(lossesEvery)
	defer tick.Stop()
	last := status()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := status()
		if now.Drops > last.Drops {
			log.Warn("answers were dropped: the receive buffer was full", "dropped", now.Drops-last.Drops, "receive_buffer", now.ReceiveBuffer)
		}
		if now.LostStamps > last.LostStamps {
			log.Warn("transmit stamps were lost: some RTTs rest on the receive stamp only", "lost", now.LostStamps-last.LostStamps)
		}
		last = now
	}
}

// logStatus says what the agent has to do without.
func logStatus(log *slog.Logger, status rawsock.Status) {
	for family, err := range map[string]error{"IPv4": status.IPv4, "IPv6": status.IPv6} {
		if err != nil {
			log.Warn("family cannot be traced", "family", family, "error", err)
		}
	}
	if status.Ports < rawsock.DefaultPorts {
		log.Warn("fewer source ports than usual: more traces to one target wait for each other; the limit of file descriptors (RLIMIT_NOFILE) is low, or no range of ports is free",
			"ports", status.Ports, "usual", rawsock.DefaultPorts)
	}
	log.Info("sockets open",
		"transmit_stamps", status.StampMode, "receive_stamps", status.ReceiveStamps, "receive_buffer", status.ReceiveBuffer)
}
