package api

import (
	order "container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// Bounds of the connections that are open at once.
const (
	// DefaultConnections is some ten times what the traces of DefaultTraces of
	// package quota need, and tens of megabytes.
	DefaultConnections = 4096
	MaxConnections     = 1 << 16
)

// connections bounds the open connections of a server. At the limit, a new one
// replaces the longest-idle connection: one that waits for a request or is
// sending its header. When all have a request under way, the new one is closed.
type connections struct {
	most int

	mu    sync.Mutex
	open  map[net.Conn]*order.Element // nil: a request is under way
	quiet *order.List                 // of net.Conn, the longest quiet in front
}

// LimitConnections bounds the connections that server has open at once to most,
// from 1 to MaxConnections, before it serves. It takes the server's ConnState.
func LimitConnections(server *http.Server, most int) {
	c := &connections{most: most, open: make(map[net.Conn]*order.Element), quiet: order.New()}
	server.ConnState = c.change
}

// change follows the state of a connection. The server calls it for a fresh one
// before it accepts the next, and has a request under way from the end of its
// header on.
func (c *connections) change(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if len(c.open) >= c.most && !c.makeRoom() {
			cut(conn)
			return
		}
		c.open[conn] = c.quiet.PushBack(conn)
	case http.StateActive, http.StateIdle:
		element, known := c.open[conn]
		if !known {
			return // closed a moment ago
		}
		if element != nil {
			c.quiet.Remove(element)
			c.open[conn] = nil
		}
		if state == http.StateIdle {
			c.open[conn] = c.quiet.PushBack(conn)
		}
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	}
}

// makeRoom closes the connection that has been quiet for longest.
func (c *connections) makeRoom() bool {
	longest := c.quiet.Front()
	if longest == nil {
		return false
	}
	conn, ok := longest.Value.(net.Conn)
	if !ok {
		return false
	}
	c.forget(conn)
	cut(conn)
	return true
}

func (c *connections) forget(conn net.Conn) {
	if element := c.open[conn]; element != nil {
		c.quiet.Remove(element)
	}
	delete(c.open, conn)
}

// cut closes a connection without the farewell of TLS, which could have to wait
// for the other side. The server learns it by its next read.
func cut(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close()
}
