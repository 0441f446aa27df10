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
	aheadSlack   = 1 << 18 // room for the entry that turns out to be too much
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

	decode  decoder // its out is the bytes of filling
	filling *chunk  // nil: none yet, or no more are wanted
}

// chunk is entries and their records.
type chunk struct {
	entries []nudge.Entry
	records int
	buf     []byte // the records, one entry's behind the other's
}

var errNoMoreWanted = errors.New("no more entries are wanted")

func (a *ahead) read(l *Log, from nudge.Offset) {
	defer close(a.full)
	a.decode.room = a.room
	err := l.readWith(&a.decode, from, a.add)
	if c := a.filling; c != nil && len(c.entries) > 0 {
		a.full <- c // also before an error: what stands before damage is sound
	}
	a.err = err
}

// room lets the decoder append an entry of so many records to the chunk at hand, which it hands on before if there are too many.
func (a *ahead) room(records int) {
	if c := a.filling; c == nil || c.records+records > aheadRecords && c.records > 0 {
		a.next()
	}
}

// next hands the chunk on that was being filled, and gets another one.
func (a *ahead) next() {
	if c := a.filling; c != nil {
		a.full <- c // has room for all chunks there are
		a.filling = nil
	}
	select {
	case a.filling = <-a.free:
		a.decode.out = a.filling.empty()
	case <-a.stop:
		a.decode.out = nil
	}
}

// add is told of an entry whose records are in the chunk at hand. Where they are too many bytes for it they move to the next one.
func (a *ahead) add(e nudge.Entry) error {
	if c := a.filling; c != nil && len(a.decode.out) > aheadBytes && len(c.entries) > 0 {
		a.next()
		a.decode.out = append(a.decode.out, e.Records...)
		e.Records = a.decode.out[:len(e.Records):len(e.Records)]
	}
	c := a.filling
	if c == nil {
		return errNoMoreWanted
	}
	c.buf = a.decode.out
	c.entries = append(c.entries, e)
	c.records += e.Count
	return nil
}

// empty begins the chunk anew, and returns its memory.
func (c *chunk) empty() []byte {
	c.entries, c.records = c.entries[:0], 0
	if c.buf == nil {
		c.buf = make([]byte, 0, aheadBytes+aheadSlack)
	}
	return c.buf[:0]
}
