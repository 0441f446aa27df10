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
	return &lingerConn{Conn: c}, nil
}

// lingerConn is used by one goroutine at a time.
type lingerConn struct {
	net.Conn
	linger bool
}

// Close closes the connection, at once or after it has lingered.
func (c *lingerConn) Close() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger {
		if half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
			io.CopyN(io.Discard, c.Conn, lingerBytes) // whatever ends it, the connection is closed next
		}
	}
	return c.Conn.Close()
}
