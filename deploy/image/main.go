//go:build linux

// Command image completes the root directory of the container image, which the
// Dockerfile has put the program into: the user's name, CA certificates, the
// configuration, the program's file capability, and one time for all files, so
// that two builds of one commit are alike. It stands in for setcap and a shell
// script, since a build image need not have more than Go.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	libcap "kernel.org/pub/linux/libs/security/libcap/cap"
)

// The account that the program runs as. The image has no shadow file and
// nothing that asks for a password.
const (
	passwd = "root:x:0:0:root:/:/sbin/nologin\nprobe-agent:x:65532:65532:probe-agent:/:/sbin/nologin\n"
	group  = "root:x:0:\nprobe-agent:x:65532:\n"
)

// program is where the Dockerfile puts it, below the root.
const program = "usr/bin/probe-agent"

func main() {
	var root image
	flag.StringVar(&root.dir, "root", "", "`directory` that becomes the image's root")
	flag.StringVar(&root.bundle, "ca-bundle", "", "`file` of CA certificates to copy")
	flag.StringVar(&root.configuration, "configuration", "", "`file` to copy as the agent's configuration")
	flag.StringVar(&root.date, "time", "", "`time` (RFC 3339) of all files; empty: 1970")
	flag.Parse()
	if err := root.complete(); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

// image is the root directory and what comes into it.
type image struct {
	dir, bundle, configuration, date string
}

func (i *image) complete() error {
	at, err := time.Parse(time.RFC3339, cmp.Or(i.date, "1970-01-01T00:00:00Z"))
	if err != nil {
		return fmt.Errorf("time of the files: %w", err)
	}
	return errors.Join(
		i.write("etc/passwd", []byte(passwd)),
		i.write("etc/group", []byte(group)),
		i.copy("etc/ssl/certs/ca-certificates.crt", i.bundle),
		i.copy("etc/probe-agent/probe-agent.yaml", i.configuration),
		i.permitNetRaw(),
		i.stamp(at),
	)
}

func (i *image) write(name string, content []byte) error {
	path := filepath.Join(i.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

func (i *image) copy(name, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return i.write(name, content)
}

// permitNetRaw gives the program its file capability: permitted, and not in
// effect, as sandbox.RaiseNetRaw wants it.
func (i *image) permitNetRaw() error {
	path := filepath.Join(i.dir, program)
	set, err := libcap.FromText("cap_net_raw=p")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(path, 0o755), set.SetFile(path)); err != nil {
		return fmt.Errorf("file capability of %s: %w", path, err)
	}
	return nil
}

// stamp gives everything the same time, what is in a directory before the
// directory itself.
func (i *image) stamp(at time.Time) error {
	var paths []string
	err := filepath.WalkDir(i.dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(paths) {
		if err := os.Chtimes(path, at, at); err != nil {
			return err
		}
	}
	return nil
}
