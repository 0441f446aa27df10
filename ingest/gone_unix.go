//go:build unix && !solaris && !illumos && !aix

package ingest

import (
	"errors"
	"net"
	"syscall"
)

// peerGone says whether the other side has closed a connection, which it reads nothing from and does not wait for. It is asked of one that is being written
// to: while somebody reads from it the reader is who learns of it.
func peerGone(c net.Conn) bool {
	of, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == nil:
			gone = n == 0
		case !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR):
			gone = true // reset, or timed out
		}
	})
	return gone || err != nil // closed on this side
}
