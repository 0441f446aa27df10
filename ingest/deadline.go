package ingest

import (
	"errors"
	"os"
	"sync"
	"time"
)

// The HTTP library sets three deadlines for each request, nearly all of which are put off before they pass, and each costs as much as counting the answer.
// So a deadline that is put off is only noted: when the earlier one passes, what it was for goes on up to the one that is wanted.

// deadline is that of a connection's reads, or of its writes. Safe for concurrent use: a stream's is set beside its writes.
type deadline struct {
	mu     sync.Mutex
	wanted time.Time // zero: none
	armed  time.Time // what the connection knows of, never later than wanted
	arm    func(time.Time) error
}

// set makes t the deadline; zero: none.
func (d *deadline) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if !d.armed.IsZero() && !t.IsZero() && !t.Before(d.armed) {
		return nil
	}
	d.armed = t
	return d.arm(t)
}

// passed says whether what has met an error is over: always, but where the deadline that has passed was put off.
func (d *deadline) passed(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() && !time.Now().Before(d.wanted) {
		return true
	}
	d.armed = d.wanted
	return d.arm(d.armed) != nil
}

// SetReadDeadline, SetWriteDeadline and SetDeadline are those of net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error  { return c.read.set(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.write.set(t) }
func (c *conn) SetDeadline(t time.Time) error      { return errors.Join(c.read.set(t), c.write.set(t)) }

func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err == nil || n > 0 || c.read.passed(err) {
			return n, err
		}
	}
}

func (c *conn) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, err := c.Conn.Write(b[done:])
		done += n
		if err == nil || c.write.passed(err) {
			return done, err
		}
	}
}
