package lookup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

const (
	// maxDatagram is more than any server may send that was not told of room
	// for more (512 octets, RFC 1035 section 4.2.1).
	maxDatagram = 4096
	// maxStrays is the number of wrong answers from the right address that are
	// read past. Whoever sends more is guessing ids.
	maxStrays = 16
)

// errStrays asks for a transport that cannot be forged blindly (RFC 5452
// section 9).
var errStrays = errors.New("lookup: too many answers to other questions")

// exchange sends a query to a server over "udp" or "tcp" and returns the first
// message that answers it, before ctx ends.
type exchange func(ctx context.Context, network string, server netip.AddrPort, q query) ([]byte, error)

// overNetwork is the exchange that uses the network. Every query has a socket,
// and so a source port, of its own; the socket is connected, so that the
// kernel drops what comes from elsewhere.
func overNetwork(ctx context.Context, network string, server netip.AddrPort, q query) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, fmt.Errorf("lookup: name server %v: %w", server, err)
	}
	defer conn.Close()
	// Ends reads and writes with os.ErrDeadlineExceeded, however ctx ends.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // an open socket takes any deadline
	defer stop()
	var message []byte
	if network == "tcp" {
		message, err = askStream(conn, q)
	} else {
		message, err = askDatagram(conn, q)
	}
	if err != nil {
		return nil, fmt.Errorf("lookup: name server %v over %s: %w", server, network, err)
	}
	return message, nil
}

func askDatagram(conn net.Conn, q query) ([]byte, error) {
	if _, err := conn.Write(q.bytes); err != nil {
		return nil, err
	}
	buffer := make([]byte, maxDatagram)
	for range maxStrays {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, err
		}
		if q.answers(buffer[:n]) {
			return buffer[:n], nil
		}
	}
	return nil, errStrays
}

// askStream frames messages by their length in two octets (RFC 1035 section
// 4.2.2), which bounds them too.
func askStream(conn net.Conn, q query) ([]byte, error) {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(q.bytes)), uint16(len(q.bytes)))
	if _, err := conn.Write(append(framed, q.bytes...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return nil, err
	}
	if !q.answers(message) {
		return nil, errors.New("answer to another question")
	}
	return message, nil
}
