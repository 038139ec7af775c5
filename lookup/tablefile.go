package lookup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// maxTableFile bounds what is read of one file, unpacked.
	maxTableFile = 1 << 30
	// peekTable is how much of a file tells what it is.
	peekTable = 512
)

// gzipMagic starts a gzip member (RFC 1952 section 2.3.1).
const gzipMagic = "\x1f\x8b"

// addFile adds what a file says, whatever its form.
func (t *table) addFile(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err // names the file
	}
	defer file.Close()
	content, err := unpacked(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return t.addContent(ctx, path, &bounded{content, maxTableFile})
}

// unpacked returns what r holds, gunzipped if need be.
func unpacked(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(len(gzipMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(magic) == gzipMagic {
		return gzip.NewReader(buffered)
	}
	return buffered, nil
}

// addContent tells text from a MaxMind DB. The name is for errors.
func (t *table) addContent(ctx context.Context, name string, content io.Reader) error {
	buffered := bufio.NewReaderSize(content, 64<<10)
	head, err := buffered.Peek(peekTable)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(head) == 0 {
		return fmt.Errorf("%s: empty", name)
	}
	if bytes.ContainsFunc(head, binaryRune) {
		return t.addMMDB(ctx, name, buffered)
	}
	return t.addRanges(ctx, name, buffered)
}

// binaryRune reports whether r has no place in a text. The search tree that a
// MaxMind DB starts with is full of them.
func binaryRune(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r'
}

// bounded reads up to left bytes; more are an error.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes", maxTableFile)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
