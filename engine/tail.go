package engine

import (
	"sync"
	"sync/atomic"

	"nudge"
)

// Bounds of the tail (I8).
const (
	maxTailEntries = 16_384
	maxTailCopied  = 64 << 20 // bytes that wait
)

// tail holds copies of the entries that the applier applies while a reader catches up. Where too many wait it is closed, and the reader
// reads them from the log.
type tail struct {
	entries chan nudge.Entry // replaced by the reader, under mu; closed: nothing is collected any more

	mu     sync.Mutex
	isOpen bool
	bytes  atomic.Int64 // that wait
}

// open begins to collect.
func (t *tail) open() {
	entries := make(chan nudge.Entry, maxTailEntries) // before the lock: the applier waits for it
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries, t.isOpen = entries, true
	t.bytes.Store(0)
}

func (t *tail) add(entry nudge.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isOpen {
		return
	}
	entry.Records = append([]byte(nil), entry.Records...)
	select {
	case t.entries <- entry:
		if t.bytes.Add(int64(len(entry.Records))) <= maxTailCopied {
			return
		}
	default:
	}
	t.isOpen = false
	close(t.entries)
}

// took notes that the reader has taken an entry.
func (t *tail) took(entry nudge.Entry) { t.bytes.Add(-int64(len(entry.Records))) }

func (t *tail) waiting() int { return len(t.entries) }
