package daemon

import (
	"context"
	"errors"
)

// Part is one thing that is made from the settings S and can be made anew
// while the process runs.
type Part[S any] struct {
	// Prepare makes the part from settings and changes nothing; what it returns
	// puts the part in use and cannot fail. It returns soon after ctx ends.
	Prepare func(ctx context.Context, settings S) (commit func(), err error)
}

// Prepare prepares all parts. commit puts them in use, in their order. The
// error joins those of all parts that could not be prepared.
func Prepare[S any](ctx context.Context, settings S, parts []Part[S]) (commit func(), err error) {
	commits := make([]func(), 0, len(parts))
	var wrong []error
	for _, part := range parts {
		commit, err := part.Prepare(ctx, settings)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		commits = append(commits, commit)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return func() {
		for _, commit := range commits {
			commit()
		}
	}, nil
}

// Reloader makes the parts of a running process anew.
type Reloader[S any] struct {
	// Read reads the settings from where the process got them. It returns soon
	// after ctx ends.
	Read  func(ctx context.Context) (S, error)
	Parts []Part[S]
	// Started are the settings that the process started with.
	Started S
	// Fixed names the settings that differ and that no part puts in use.
	Fixed func(started, fresh S) []string
}

// Reload reads the settings and puts them in use. On error everything stays as
// it was, also when ctx ended first. waiting names settings that have changed since the process started
// and take a restart. Calls must not overlap.
func (r *Reloader[S]) Reload(ctx context.Context) (waiting []string, err error) {
	fresh, err := r.Read(ctx)
	if err != nil {
		return nil, err
	}
	commit, err := Prepare(ctx, fresh, r.Parts)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	commit()
	return r.Fixed(r.Started, fresh), nil
}
