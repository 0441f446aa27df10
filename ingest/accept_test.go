package ingest

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// listener accepts what it is told to.
type listener struct {
	net.Listener
	errs []error
}

func (l *listener) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return &net.TCPConn{}, nil
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func TestListenerIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		failed := 0
		l := patientListener{&listener{errs: []error{full, full, full}}, func(err error) {
			if failed++; !errors.Is(err, syscall.EMFILE) {
				t.Errorf("told of %v", err)
			}
		}}
		begun := time.Now()
		if c, err := l.Accept(); c == nil || err != nil || failed != 3 || time.Since(begun) != 3*acceptPause {
			t.Errorf("accepted %v, %v after %v and %d failures", c, err, time.Since(begun), failed)
		}
		l.Listener = &listener{errs: []error{net.ErrClosed}}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed listener: %v", err)
		}
	})
}
