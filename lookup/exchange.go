package lookup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxDatagram is the size of the buffer for a datagram: more than a server
	// may send to a client that has not announced larger ones (512 octets, RFC
	// 1035 section 4.2.1), or has announced ednsSize.
	maxDatagram = 4096
	// maxStrays is the number of wrong answers from the right address that are
	// skipped. More of them are attempts to guess the id.
	maxStrays = 16
)

var (
	// errStrays asks for a transport that cannot be forged blindly (RFC 5452
	// section 9).
	errStrays = errors.New("lookup: too many answers to other questions")
	errCounts = errors.New("fewer answers than announced")
)

// exchange sends a query to a server over "udp" or "tcp" and returns the first
// message that answers it, before ctx ends. A message that comes with an error
// answers the query, but is malformed.
type exchange func(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error)

// overNetwork is the exchange that uses the network. Every query has a socket,
// and so a source port, of its own; the socket is connected, so that the
// kernel drops datagrams from other addresses.
func overNetwork(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, fmt.Errorf("lookup: name server %v: %w", server, err)
	}
	defer conn.Close()
	// Ends reads and writes with os.ErrDeadlineExceeded, however ctx ends.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // an open socket takes any deadline
	defer stop()
	message, err := converse(&dns.Conn{Conn: conn, UDPSize: maxDatagram}, network, q)
	if err != nil && !errors.Is(err, errStrays) {
		err = fmt.Errorf("lookup: name server %v over %s: %w", server, network, err)
	}
	return message, err
}

// converse sends q over conn and reads what answers it. The dns package's own
// Client checks the id but not the question, and stops at the first datagram
// that it cannot parse.
func converse(conn *dns.Conn, network string, q *dns.Msg) (*dns.Msg, error) {
	if err := conn.WriteMsg(q); err != nil {
		return nil, err
	}
	strays := maxStrays
	if network == "tcp" {
		strays = 1
	}
	for range strays {
		var header dns.Header
		packed, err := conn.ReadMsgHeader(&header)
		if errors.Is(err, dns.ErrShortRead) {
			continue
		}
		if err != nil {
			return nil, err
		}
		message := new(dns.Msg)
		err = message.Unpack(packed)
		if !answers(q, message) {
			continue
		}
		switch {
		case message.Truncated: // wherever it was cut
			err = nil
		case err == nil && int(header.Ancount) != len(message.Answer):
			err = errCounts
		}
		return message, err
	}
	if network == "tcp" {
		return nil, errors.New("answer to another question")
	}
	return nil, errStrays
}
