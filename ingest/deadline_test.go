package ingest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// after is an instant so many seconds behind a beginning.
func after(begun time.Time, seconds int) time.Time {
	return begun.Add(time.Duration(seconds) * time.Second)
}

// A read ends at the deadline that was set last, whatever was set before; the system is told of what comes sooner, and of what was put off once that has passed.
func TestReadDeadline(t *testing.T) {
	for _, test := range []struct {
		name string
		set  []int // seconds from the beginning, 0: none
		ends int   // 0: does not
		arms int
	}{
		{"as it is", []int{10}, 10, 1},
		{"put off", []int{10, 20, 75}, 75, 2},
		{"put off and back", []int{10, 75, 15}, 15, 2},
		{"sooner", []int{20, 10}, 10, 2},
		{"none any more", []int{10, 0}, 0, 2},
		{"again", []int{10, 0, 30}, 30, 3},
		{"over", []int{10, -1}, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				c, begun, arms := newConn(near), time.Now(), 0
				arm := c.read.arm
				c.read.arm = func(at time.Time) error { arms++; return arm(at) }
				for _, seconds := range test.set {
					at := after(begun, seconds)
					if seconds == 0 {
						at = time.Time{}
					}
					if err := c.SetReadDeadline(at); err != nil {
						t.Fatal(err)
					}
				}
				if test.ends == 0 && test.set[len(test.set)-1] == 0 {
					time.AfterFunc(time.Hour, func() { far.Close() })
				}
				_, err := c.Read(make([]byte, 1))
				took := int(time.Since(begun).Seconds())
				switch {
				case test.ends == 0 && test.set[len(test.set)-1] == 0:
					if !errors.Is(err, io.EOF) || took != 3600 {
						t.Errorf("%v after %d s", err, took)
					}
				case !errors.Is(err, os.ErrDeadlineExceeded) || took != test.ends:
					t.Errorf("%v after %d s, want it after %d", err, took, test.ends)
				}
				if arms != test.arms {
					t.Errorf("the system was told %d times, want %d", arms, test.arms)
				}
			})
		})
	}
}

// A write that lasts beyond a deadline that was put off meanwhile loses and doubles nothing; one that is set to the past ends it.
func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c, begun := newConn(near), time.Now()
		sent := bytes.Repeat([]byte("0123456789"), 10)
		var got []byte
		go func() {
			for range len(sent) / 5 {
				time.Sleep(time.Second)
				if err := c.SetWriteDeadline(time.Now().Add(2500 * time.Millisecond)); err != nil {
					t.Error(err)
				}
				b := make([]byte, 5)
				n, _ := io.ReadFull(far, b)
				got = append(got, b[:n]...)
			}
			time.Sleep(time.Second)
			if err := c.SetWriteDeadline(time.Unix(1, 0)); err != nil {
				t.Error(err)
			}
		}()
		if err := c.SetDeadline(after(begun, 3)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Write(sent); err != nil || n != len(sent) {
			t.Fatalf("%d of %d bytes: %v", n, len(sent), err)
		}
		n, err := c.Write(sent)
		if took := int(time.Since(begun).Seconds()); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != 21 {
			t.Errorf("%d bytes more, %v after %d s", n, err, took)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%q has arrived", got)
		}
	})
}

// halfPipe is a pipe whose one direction can be closed, as TCP's.
type halfPipe struct{ net.Conn }

func (halfPipe) CloseWrite() error { return nil }

// A connection lingers for its whole time, though a deadline that was put off has passed long ago.
func TestLingerBehindADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := newConn(halfPipe{near})
		for range 2 { // the second one is only noted
			if err := c.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(readTimeout - time.Second)
		}
		c.linger = true
		begun := time.Now()
		go c.Close()
		for range 3 {
			time.Sleep(lingerTime / 4)
			if _, err := far.Write([]byte("still sending")); err != nil {
				t.Fatalf("after %v: %v", time.Since(begun), err)
			}
		}
		time.Sleep(lingerTime)
		if _, err := far.Write([]byte("too long")); err == nil {
			t.Errorf("it lingers for more than %v", lingerTime)
		}
	})
}
