// Command release builds everything that is published of one commit: for each
// architecture an archive, a .deb, an .rpm and an SBOM, and the checksums of all.
// The same commit gives the same bytes, wherever and whenever it is built with
// the same toolchain: all times are the commit's. Nothing is fetched but Go
// modules that are not in the module cache.
//
//	go run -C deploy/release . -out "$PWD/release"
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	var r release
	arches := flag.String("arch", "amd64,arm64", "`architectures`, as GOARCH names them")
	flag.StringVar(&r.source, "source", "../..", "`directory` of the repository")
	flag.StringVar(&r.out, "out", "dist", "`directory` to put everything into; made when it is not there")
	flag.StringVar(&r.version, "version", "", "`version`; empty: that of the commit's tag, or 0.0.0 with the commit")
	flag.StringVar(&r.commit, "commit", "", "commit `hash`; empty: what git says")
	flag.StringVar(&r.date, "date", "", "commit `time` (RFC 3339); empty: what git says")
	flag.Parse()
	r.arches = strings.Split(*arches, ",")

	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt)
	err := r.run(ctx)
	release()
	if err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// release is what is released and where to.
type release struct {
	source, out string
	origin
	arches []string
}

func (r *release) run(ctx context.Context) error {
	if err := r.complete(ctx, r.source); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	var made []string
	for _, arch := range r.arches {
		files, err := r.build(ctx, arch, scratch)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		made = append(made, files...)
	}
	return writeChecksums(r.out, made)
}

// build makes everything for one architecture and returns the names of the
// files in the output directory.
func (r *release) build(ctx context.Context, arch, scratch string) ([]string, error) {
	name := fmt.Sprintf("probe-agent_%s_linux_%s", r.version, arch)
	s := stage{dir: filepath.Join(scratch, name), arch: arch, source: r.source, origin: r.origin}
	if err := s.fill(ctx, scratch); err != nil {
		return nil, err
	}
	made := []string{name + ".tar.gz", name + ".cdx.json"}
	if err := writeArchive(filepath.Join(r.out, made[0]), s.dir, r.at); err != nil {
		return nil, err
	}
	if err := writeSBOM(filepath.Join(r.out, made[1]), filepath.Join(s.dir, program), r.origin); err != nil {
		return nil, err
	}
	for _, format := range []string{"deb", "rpm"} {
		file, err := s.writePackage(r.out, format)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", format, err)
		}
		made = append(made, file)
	}
	return made, nil
}
