package state

import (
	"errors"
	"sync"

	"nudge"
)

// What ReadAhead hands out at once, unless a single entry is larger.
const (
	aheadRecords = 4096    // at most
	aheadBytes   = 1 << 20 // at most
	aheadChunks  = 3       // one that fn works on, one that waits, one that is filled
)

// ReadAhead is Read with a goroutine of its own that reads, checks and unpacks while fn works. fn gets as many entries at once as a chunk
// holds; they are valid until it returns. The goroutine has ended when ReadAhead returns, or panics because fn does.
func (l *Log) ReadAhead(from nudge.Offset, fn func([]nudge.Entry) error) error {
	a := &ahead{full: make(chan *chunk, aheadChunks), free: make(chan *chunk, aheadChunks), stop: make(chan struct{})}
	for range aheadChunks {
		a.free <- &chunk{}
	}
	var reading sync.WaitGroup
	reading.Go(func() { a.read(l, from) })
	defer reading.Wait()
	defer close(a.stop)
	for c := range a.full {
		if err := fn(c.entries); err != nil {
			return err
		}
		a.free <- c
	}
	return a.err
}

// ahead is the way of chunks between the goroutine that reads and the one that works.
type ahead struct {
	full chan *chunk
	free chan *chunk
	stop chan struct{} // closed when no more chunks are wanted
	err  error         // of reading; valid after full is closed

	filling *chunk // nil: none yet
}

// chunk is entries and their records.
type chunk struct {
	entries []nudge.Entry
	records int
	buf     []byte
}

var errNoMoreWanted = errors.New("no more entries are wanted")

func (a *ahead) read(l *Log, from nudge.Offset) {
	defer close(a.full)
	err := l.Read(from, a.add)
	if c := a.filling; c != nil && !errors.Is(err, errNoMoreWanted) {
		a.full <- c // also before an error: what stands before damage is sound
	}
	a.err = err
}

// add copies an entry into the chunk at hand, and hands that on before if there is no room.
func (a *ahead) add(e nudge.Entry) error {
	if c := a.filling; c != nil && (c.records+e.Count > aheadRecords || len(c.buf)+len(e.Records) > cap(c.buf)) {
		a.full <- c // has room for all chunks there are
		a.filling = nil
	}
	if a.filling == nil {
		select {
		case a.filling = <-a.free:
		case <-a.stop:
			return errNoMoreWanted
		}
		a.filling.empty(len(e.Records))
	}
	a.filling.add(e)
	return nil
}

// empty begins the chunk anew, with room for so many bytes at least.
func (c *chunk) empty(bytes int) {
	c.entries, c.records, c.buf = c.entries[:0], 0, c.buf[:0]
	if bytes = max(bytes, aheadBytes); cap(c.buf) < bytes {
		c.buf = make([]byte, 0, bytes)
	}
}

func (c *chunk) add(e nudge.Entry) {
	from := len(c.buf)
	c.buf = append(c.buf, e.Records...)
	e.Records = c.buf[from:len(c.buf):len(c.buf)]
	c.entries = append(c.entries, e)
	c.records += e.Count
}
