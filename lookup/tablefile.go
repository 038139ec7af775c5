package lookup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

const (
	// maxTableFile bounds what is read of one file, unpacked.
	maxTableFile = 1 << 30
	// peekTable is how much of a file tells what it is.
	peekTable = 512
)

// gzipMagic starts a gzip member (RFC 1952 section 2.3.1).
const gzipMagic = "\x1f\x8b"

// load reads a file, whatever its form.
func (f *fileTable) load(ctx context.Context, open Open, path string) error {
	file, err := open(ctx, path)
	if err != nil {
		return err // names the file
	}
	defer file.Close()
	sum := sha256.New()
	content, zipped, err := unpacked(io.TeeReader(file, sum))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.read(ctx, path, &bounded{content, maxTableFile}, zipped); err != nil {
		return err
	}
	sum.Sum(f.digest[:0]) // every form is read to the end of the file
	return nil
}

// unpacked returns what r holds, gunzipped if need be.
func unpacked(r io.Reader) (content io.Reader, zipped bool, err error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(len(gzipMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if string(magic) == gzipMagic {
		content, err = newGunzip(buffered)
		return content, true, err
	}
	return buffered, false, nil
}

// gunzip reads gzip members, one after the other (RFC 1952 section 2.2), and
// ignores zeros behind the last one, with which tapes and some block devices
// fill up a file; gzip(1) does the same.
type gunzip struct {
	packed *bufio.Reader
	member *gzip.Reader
}

func newGunzip(packed *bufio.Reader) (*gunzip, error) {
	member, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gunzip{packed, member}, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	for {
		n, err := g.member.Read(p)
		switch {
		case !errors.Is(err, io.EOF):
			return n, err
		case n > 0:
			return n, nil
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
}

// next goes on to the next member. The error is io.EOF when there is none.
func (g *gunzip) next() error {
	first, err := g.packed.Peek(1)
	for err == nil && first[0] == 0 {
		if _, err = g.packed.Discard(1); err == nil {
			first, err = g.packed.Peek(1)
		}
	}
	if err != nil {
		return err
	}
	if err := g.member.Reset(g.packed); err != nil {
		return err
	}
	g.member.Multistream(false)
	return nil
}

// byteOrderMark is that of UTF-8. Some editors and spreadsheets put it in front
// of a text.
const byteOrderMark = "\ufeff"

// read tells text from a MaxMind DB. The name is for errors; whole is whether
// the form of the file has shown already that it is not cut short.
func (f *fileTable) read(ctx context.Context, name string, content io.Reader, whole bool) error {
	defer f.finish()
	buffered := bufio.NewReaderSize(content, 64<<10)
	head, err := buffered.Peek(peekTable)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if rest, found := bytes.CutPrefix(head, []byte(byteOrderMark)); found {
		head = rest
		_, _ = buffered.Discard(len(byteOrderMark)) // it is in the buffer
	}
	if len(head) == 0 {
		return fmt.Errorf("%s: empty", name)
	}
	if bytes.ContainsFunc(head, binaryRune) {
		return f.addMMDB(ctx, name, buffered)
	}
	return f.addRanges(ctx, name, buffered, whole)
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
