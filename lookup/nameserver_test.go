package lookup

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers on loopback, UDP and TCP on one port, as its reply
// function says: with any number of messages, which need not be any good.
type nameServer struct {
	addr    netip.AddrPort
	udp     *net.UDPConn
	tcp     net.Listener
	reply   func(network string, q dnsmessage.Message) [][]byte
	before  func(q dnsmessage.Message, asker netip.AddrPort) // of UDP; may be nil
	queries atomic.Int64
	tcpSeen atomic.Int64
	serving sync.WaitGroup
}

func startNameServer(t *testing.T, reply func(network string, q dnsmessage.Message) [][]byte) *nameServer {
	t.Helper()
	s := &nameServer{reply: reply}
	s.start(t)
	return s
}

func (s *nameServer) start(t *testing.T) {
	t.Helper()
	for s.tcp == nil { // until UDP's port is free for TCP as well
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		s.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
		if s.tcp, err = net.Listen("tcp4", s.addr.String()); err != nil {
			udp.Close()
			continue
		}
		s.udp = udp
	}
	s.serving.Go(s.serveUDP)
	s.serving.Go(s.serveTCP)
	t.Cleanup(s.stop)
}

func (s *nameServer) stop() {
	s.udp.Close()
	s.tcp.Close()
	s.serving.Wait()
}

func (s *nameServer) serveUDP() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		var q dnsmessage.Message
		if q.Unpack(buffer[:n]) != nil {
			continue
		}
		s.queries.Add(1)
		if s.before != nil {
			s.before(q, from)
		}
		for _, message := range s.reply("udp", q) {
			s.udp.WriteToUDPAddrPort(message, from)
		}
	}
}

func (s *nameServer) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		s.tcpSeen.Add(1)
		s.serveStream(conn)
		conn.Close()
	}
}

func (s *nameServer) serveStream(conn net.Conn) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return
	}
	var q dnsmessage.Message
	if q.Unpack(message) != nil {
		return
	}
	for _, message := range s.reply("tcp", q) {
		conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(message))))
		conn.Write(message)
	}
}

// respond returns a response to q in which edit may change everything.
func respond(q dnsmessage.Message, edit func(*dnsmessage.Message)) []byte {
	r := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: q.ID, Response: true, RecursionDesired: true, RecursionAvailable: true,
		},
		Questions: q.Questions,
	}
	edit(&r)
	b, err := r.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// ptr adds PTR records for the name asked.
func ptr(ttl uint32, names ...string) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		for _, name := range names {
			m.Answers = append(m.Answers, resource(m.Questions[0].Name.String(), dnsmessage.TypePTR, ttl,
				&dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(name)}))
		}
	}
}

func resource(owner string, kind dnsmessage.Type, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{
			Name: dnsmessage.MustNewName(owner), Type: kind, Class: dnsmessage.ClassINET, TTL: ttl,
		},
		Body: body,
	}
}

// none answers that there is no such name, with an SOA to say for how long.
func none(rcode dnsmessage.RCode, soaTTL, minimum uint32) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		m.RCode = rcode
		m.Authorities = []dnsmessage.Resource{resource("in-addr.arpa.", dnsmessage.TypeSOA, soaTTL, &dnsmessage.SOAResource{
			NS: dnsmessage.MustNewName("ns."), MBox: dnsmessage.MustNewName("mail."), MinTTL: minimum,
		})}
	}
}

func rcode(code dnsmessage.RCode) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) { m.RCode = code }
}
