package config

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// maxOutline bounds the lines that an Outline remembers, at 4 bytes each.
const maxOutline = 1 << 21

// Outline is what is kept of a text file to recognise, when it is read again,
// that it was not written in full: a disk that is full and a writer that is
// interrupted leave the beginning of a file, which may be correct by itself.
// The file is written to the Outline; the zero value is that of an empty file.
type Outline struct {
	sums    []uint32 // checksums of the file up to the end of each line
	sum     uint32
	partial bool // the last line does not end in a newline
	lines   int
}

// Write takes the next bytes of the file. It never fails.
func (o *Outline) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		o.sum = crc32.Update(o.sum, crc32.IEEETable, line)
		if o.partial = line[len(line)-1] != '\n'; o.partial {
			continue
		}
		o.lines++
		if len(o.sums) < maxOutline {
			o.sums = append(o.sums, o.sum)
		}
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
// off behind one of its lines.
func (o *Outline) Truncates(other *Outline) bool {
	return o.lines > 0 && o.lines < other.lines && !o.partial &&
		o.lines <= len(other.sums) && o.sum == other.sums[o.lines-1]
}
