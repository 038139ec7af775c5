package agent

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"probe-agent/internal/rawsock"
)

func TestWatchLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		looks := make(chan rawsock.Status)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			watchLosses(ctx, slog.New(slog.NewTextHandler(&out, nil)), func() rawsock.Status { return <-looks })
			close(done)
		}()
		for _, status := range []rawsock.Status{{}, {}, {Drops: 7}, {Drops: 14, LostStamps: 5}, {Drops: 14, LostStamps: 5}} {
			looks <- status
		}
		cancel()
		<-done
		log := out.String()
		if n := strings.Count(log, "dropped=7"); n != 2 {
			t.Errorf("%d reports of drops, want 2:\n%s", n, log)
		}
		if n := strings.Count(log, "lost=5"); n != 1 {
			t.Errorf("%d reports of lost stamps, want 1:\n%s", n, log)
		}
	})
}
