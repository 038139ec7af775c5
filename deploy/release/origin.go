package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// origin is where a release comes from.
type origin struct {
	version string // without v
	commit  string
	date    string // of the commit, RFC 3339 in UTC
	at      time.Time
}

// complete asks git for what was not given.
func (o *origin) complete(ctx context.Context, dir string) error {
	var err error
	if o.commit == "" {
		if o.commit, err = git(ctx, dir, "rev-parse", "HEAD"); err != nil {
			return err
		}
	}
	if o.date == "" {
		if o.date, err = git(ctx, dir, "show", "--no-patch", "--format=%cI", o.commit); err != nil {
			return err
		}
	}
	if o.at, err = time.Parse(time.RFC3339, o.date); err != nil {
		return fmt.Errorf("commit time: %w", err)
	}
	o.at = o.at.UTC()
	o.date = o.at.Format(time.RFC3339)
	if o.version == "" {
		// A commit without a tag sorts below every version.
		if o.version, err = git(ctx, dir, "describe", "--tags", "--exact-match", o.commit); err != nil {
			o.version = "0.0.0-" + o.commit[:min(12, len(o.commit))]
		}
	}
	o.version = strings.TrimPrefix(o.version, "v")
	return nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
