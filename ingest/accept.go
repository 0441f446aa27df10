package ingest

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// acceptPause is how long no connection is accepted after the system had no room for one: others have to end first.
const acceptPause = 50 * time.Millisecond

// patientListener outlives a system that has no room for another connection: neither files nor memory. fasthttp would end the server.
type patientListener struct {
	net.Listener
	failed func(error) // is told of each connection that found no room
}

func (l patientListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err == nil || !noRoom(err) {
			return c, err
		}
		l.failed(err)
		time.Sleep(acceptPause)
	}
}

// noRoom says whether another connection may be accepted later, or the next at once.
func noRoom(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// notAccepted counts a connection for which there was no room, and says so now and then.
func (s *Server) notAccepted(err error) {
	s.metrics.notAccepted.Inc()
	s.quiet.Warn(s.o.Logger, "a connection was not accepted; trying again", "error", err)
}
