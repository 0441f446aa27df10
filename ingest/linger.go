package ingest

import (
	"io"
	"net"
	"time"
)

// A server that answers and closes while the sender is still sending makes the sender's machine throw the answer away unread. So a
// connection whose request was refused unread stops sending first and takes in what comes, up to a bound.
const (
	lingerBytes = 8 << 20
	lingerTime  = 2 * time.Second
)

// lingerListener hands out connections that can linger.
type lingerListener struct{ net.Listener }

func (l lingerListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(c), nil
}

// conn is a connection of the server. One goroutine at a time reads and writes.
type conn struct {
	net.Conn
	read, write deadline
	linger      bool
}

func newConn(c net.Conn) *conn {
	return &conn{Conn: c, read: deadline{arm: c.SetReadDeadline}, write: deadline{arm: c.SetWriteDeadline}}
}

// PeerGone says whether the other side has closed the connection, and nothing that it sent is left to read. Any goroutine may ask.
func (c *conn) PeerGone() bool { return peerGone(c.Conn) }

// Close closes the connection, at once or after it has lingered.
func (c *conn) Close() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger {
		if half.CloseWrite() == nil && c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil { // the connection's own: one that is only noted may have passed
			io.CopyN(io.Discard, c.Conn, lingerBytes) // whatever ends it, the connection is closed next
		}
	}
	return c.Conn.Close()
}
