package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// writeArchive packs the files of a directory, below its own name, in the order
// of their names, all root's and of one time.
func writeArchive(path, dir string, at time.Time) error {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg,
			Name:     filepath.Base(dir) + "/" + entry.Name(),
			Size:     int64(len(content)),
			Mode:     0o644 | int64(info.Mode().Perm()&0o111),
			ModTime:  at,
			Format:   tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	content, err := compressed(packed.Bytes())
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// writeChecksums writes SHA256SUMS, in the form of sha256sum(1).
func writeChecksums(dir string, names []string) error {
	var sums strings.Builder
	for _, name := range slices.Sorted(slices.Values(names)) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), name)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
