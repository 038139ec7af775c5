// Package capture reads a capture of probes and answers and tells how long
// each probe was answered after, by the clock of the capture.
package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// The classic file format of libpcap, pcap-savefile(5).
const (
	magicMicro   = 0xa1b2c3d4
	magicNano    = 0xa1b23c4d
	fileHeader   = 24
	packetHeader = 16
	linkEthernet = 1
	// maxSnap bounds the length of one packet, so that a damaged file cannot
	// ask for all memory.
	maxSnap = 1 << 18
)

// file reads packets from a capture file.
type file struct {
	from   io.Reader
	order  binary.ByteOrder
	tick   time.Duration // unit of the fraction of a second
	buffer []byte
}

// open reads the head of a capture file of Ethernet frames, in either byte
// order.
func open(from io.Reader) (*file, error) {
	var head [fileHeader]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, fmt.Errorf("capture: file header: %w", err)
	}
	f := &file{from: from}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(head[:]) {
		case magicMicro:
			f.order, f.tick = order, time.Microsecond
		case magicNano:
			f.order, f.tick = order, time.Nanosecond
		}
	}
	if f.order == nil {
		return nil, fmt.Errorf("capture: not a capture file: begins with %x", head[:4])
	}
	if link := f.order.Uint32(head[20:]); link != linkEthernet {
		return nil, fmt.Errorf("capture: link type %d is not Ethernet", link)
	}
	return f, nil
}

// next returns a packet and its time since 1970, or io.EOF. The bytes are
// valid until the next call.
func (f *file) next() (frame []byte, at time.Duration, err error) {
	var head [packetHeader]byte
	if _, err := io.ReadFull(f.from, head[:]); errors.Is(err, io.EOF) {
		return nil, 0, io.EOF
	} else if err != nil {
		return nil, 0, fmt.Errorf("capture: packet header: %w", err)
	}
	length := f.order.Uint32(head[8:])
	if length > maxSnap {
		return nil, 0, fmt.Errorf("capture: packet of %d bytes", length)
	}
	if int(length) > cap(f.buffer) {
		f.buffer = make([]byte, length)
	}
	frame = f.buffer[:length]
	if _, err := io.ReadFull(f.from, frame); err != nil {
		return nil, 0, fmt.Errorf("capture: packet: %w", err)
	}
	at = time.Duration(f.order.Uint32(head[:]))*time.Second + time.Duration(f.order.Uint32(head[4:]))*f.tick
	return frame, at, nil
}
