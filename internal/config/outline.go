package config

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

const (
	// maxOutline bounds the lines that an Outline remembers, at 2 bytes each.
	maxOutline = 1 << 21
	// outlineChunk is the number of checksums allocated at once: a slice that
	// grows by append needs a second copy of itself.
	outlineChunk = 1 << 14
)

// Outline is what is kept of a text file to recognise, when it is read again,
// that it was not written in full: a disk that is full and a writer that is
// interrupted leave the beginning of a file, which may be correct by itself.
// The file is written to the Outline; the zero value is that of an empty file.
type Outline struct {
	sums    [][]uint16 // in chunks: low halves of sum at the end of each line
	sum     uint32     // CRC-32 of the file
	partial bool       // the last line does not end in a newline
	lines   int
}

// Write takes the next bytes of the file. It never fails.
func (o *Outline) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		o.sum = crc32.Update(o.sum, crc32.IEEETable, line)
		if o.partial = line[len(line)-1] != '\n'; o.partial {
			continue
		}
		if o.lines < maxOutline {
			if o.lines%outlineChunk == 0 {
				// The first one grows, since most files are short.
				o.sums = append(o.sums, make([]uint16, 0, min(o.lines, outlineChunk)))
			}
			last := len(o.sums) - 1
			o.sums[last] = append(o.sums[last], uint16(o.sum))
		}
		o.lines++
	}
	return len(p), nil
}

// Check returns an error if the file shows by itself that it was not written in
// full: it is empty, or its last line does not end in a newline. The error
// begins with name, and the line.
func (o *Outline) Check(name string) error {
	switch {
	case o.partial:
		return fmt.Errorf("%s:%d: the last line does not end in a newline; the file may be incomplete", name, o.lines+1)
	case o.lines == 0:
		return fmt.Errorf("%s is empty; a file that sets nothing has a comment at least", name)
	}
	return nil
}

// Truncates reports whether the file is what remains of other when that is cut
// off behind one of its lines. It reports every such file, and by chance one in
// 65,536 other files that are shorter than other.
func (o *Outline) Truncates(other *Outline) bool {
	if o.lines == 0 || o.lines >= other.lines || o.partial || o.lines > maxOutline {
		return false
	}
	last := o.lines - 1
	return uint16(o.sum) == other.sums[last/outlineChunk][last%outlineChunk]
}
