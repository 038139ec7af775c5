//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// services are the target's open ports, one goroutine each.
type services struct {
	sockets []interface{ Close() error }
	running sync.WaitGroup
}

// open starts every service of the target. The calling thread is in the
// target's namespace. On error what was opened stays open until close.
func (s *services) open(t Target) error {
	for _, v6 := range families {
		for _, port := range t.TCPOpen {
			if err := s.accept(port, v6); err != nil {
				return err
			}
		}
		for _, port := range t.UDPEcho {
			if err := s.echo(port, v6); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *services) accept(port uint16, v6 bool) error {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), suffixed("tcp", v6), fmt.Sprintf(":%d", port))
	if err != nil {
		return fmt.Errorf("kernel: open TCP port: %w", err)
	}
	s.sockets = append(s.sockets, listener)
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close() // nothing was written that could be lost
		}
	})
	return nil
}

func (s *services) echo(port uint16, v6 bool) error {
	var config net.ListenConfig
	conn, err := config.ListenPacket(context.Background(), suffixed("udp", v6), fmt.Sprintf(":%d", port))
	if err != nil {
		return fmt.Errorf("kernel: UDP echo port: %w", err)
	}
	s.sockets = append(s.sockets, conn)
	turn, err := newTurn(conn, v6)
	if err != nil {
		return fmt.Errorf("kernel: UDP echo port %d: %w", port, err)
	}
	s.running.Go(func() {
		buffer := make([]byte, 1<<16)
		for {
			// An answer that cannot be sent is one lost packet.
			if err := turn(buffer); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	})
	return nil
}

// newTurn returns a function that receives one datagram and sends it back from
// the address that it was sent to.
func newTurn(conn net.PacketConn, v6 bool) (func([]byte) error, error) {
	if v6 {
		c := ipv6.NewPacketConn(conn)
		return func(buffer []byte) error {
			n, cm, from, err := c.ReadFrom(buffer)
			if err == nil && cm != nil {
				_, err = c.WriteTo(buffer[:n], &ipv6.ControlMessage{Src: cm.Dst}, from)
			}
			return err
		}, c.SetControlMessage(ipv6.FlagDst, true)
	}
	c := ipv4.NewPacketConn(conn)
	return func(buffer []byte) error {
		n, cm, from, err := c.ReadFrom(buffer)
		if err == nil && cm != nil {
			_, err = c.WriteTo(buffer[:n], &ipv4.ControlMessage{Src: cm.Dst}, from)
		}
		return err
	}, c.SetControlMessage(ipv4.FlagDst, true)
}

// close ends every service and waits for its goroutine.
func (s *services) close() error {
	var errs []error
	for _, socket := range s.sockets {
		errs = append(errs, socket.Close())
	}
	s.sockets = nil
	s.running.Wait()
	return errors.Join(errs...)
}

func suffixed(network string, v6 bool) string {
	if v6 {
		return network + "6"
	}
	return network + "4"
}
