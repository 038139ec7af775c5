package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// program is the agent's file in a stage.
const program = "probe-agent"

// stage is a directory with everything that an archive or a package of one
// architecture has in it.
type stage struct {
	dir, arch, source string
	origin
}

// fill builds the program and puts the rest beside it. scratch is for what is
// not published.
func (s *stage) fill(ctx context.Context, scratch string) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if err := s.compile(ctx, s.arch, filepath.Join(s.dir, program)); err != nil {
		return err
	}
	for name, from := range map[string]string{
		"LICENSE":             "LICENSE",
		"README.md":           "README.md",
		"CHANGELOG.md":        "CHANGELOG.md",
		"probe-agent.yaml":    "deploy/probe-agent.example.yaml",
		"probe-agent.service": "deploy/systemd/probe-agent.service",
	} {
		content, err := os.ReadFile(filepath.Join(s.source, from))
		if err := errors.Join(err, os.WriteFile(filepath.Join(s.dir, name), content, 0o644)); err != nil {
			return err
		}
	}
	return s.describe(ctx, scratch)
}

// compile builds the program as the Dockerfile does.
func (s *stage) compile(ctx context.Context, arch, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", fmt.Sprintf("-s -w -X main.version=%s -X main.commit=%s -X main.date=%s", s.version, s.commit, s.date),
		"-o", out, "./cmd/probe-agent")
	cmd.Dir = s.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// describe writes the man page and the shell completions, which the program
// itself knows. They are the same for every architecture, so the one that runs
// here tells.
func (s *stage) describe(ctx context.Context, scratch string) error {
	runs := filepath.Join(scratch, "runs-here")
	if _, err := os.Stat(runs); errors.Is(err, os.ErrNotExist) {
		if s.arch == runtime.GOARCH {
			err = os.Link(filepath.Join(s.dir, program), runs)
		} else {
			err = s.compile(ctx, runtime.GOARCH, runs)
		}
		if err != nil {
			return err
		}
	}
	page, err := exec.CommandContext(ctx, runs, "man").Output()
	if err != nil {
		return fmt.Errorf("probe-agent man: %w", err)
	}
	page, err = compressed(page)
	if err := errors.Join(err, os.WriteFile(filepath.Join(s.dir, "probe-agent.1.gz"), page, 0o644)); err != nil {
		return err
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		completion, err := exec.CommandContext(ctx, runs, "completion", shell).Output()
		if err != nil {
			return fmt.Errorf("probe-agent completion %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "completion."+shell), completion, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compressed is gzip without a time or a name.
func compressed(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
