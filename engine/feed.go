package engine

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync"

	"nudge"
)

// feed keeps the firings: those of committed checkpoints in the store, newer ones in memory, from where a crash re-derives them.
// Safe for concurrent use.
type feed struct {
	store Store

	mu       sync.Mutex
	tail     firingList   // not committed yet
	receipts []receipt    // of the tail
	stored   nudge.Offset // everything before is in the store
	begins   nudge.Offset // what records before it caused may have gone with them
	ends     nudge.Offset // what records before it caused is here
	last     nudge.Cursor
	veils    gone // erased persons whose firings the store may still have
}

type receipt struct {
	off nudge.Offset
	id  string
}

func (f *feed) init(st Store) { f.store = st }

// load finds the oldest and the newest stored firing; the log begins at logFirst.
func (f *feed) load(stored, logFirst nudge.Offset) error {
	f.stored, f.begins, f.ends = stored, logFirst, stored
	err := f.store.Scan([]byte{tableFirings}, []byte{tableFirings + 1}, func(key, _ []byte) error {
		f.begins = min(logFirst, cursorOf(key).Offset) // their rows go with the next checkpoint
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if stored > 1 { // firings may have gone with the log's oldest records: cursors of theirs are still known
		f.last = nudge.Cursor{Offset: stored - 1, N: math.MaxUint32}
	}
	err = f.store.ScanReverse([]byte{tableFirings}, []byte{tableFirings + 1}, func(key, _ []byte) error {
		f.last = cursorOf(key)
		return errEnough
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// verify reads the stored firings beside what else a start does: it is better to hear of damage then than when a consumer comes to them. What it
// returns waits for the end of that, and is called once.
func (f *feed) verify() (wait func() error) {
	verified := make(chan error, 1)
	go func() {
		verified <- f.store.Scan([]byte{tableFirings}, []byte{tableFirings + 1}, func(_, _ []byte) error { return nil })
	}()
	return func() error { return <-verified }
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

func (f *feed) add(firings []nudge.Firing, next nudge.Offset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = next
	if len(firings) == 0 {
		return
	}
	f.tail.add(firings)
	f.last = firings[len(firings)-1].Cursor
}

func (f *feed) seen(off nudge.Offset, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.receipts = append(f.receipts, receipt{off, id})
}

// freeze puts the tail into a checkpoint; it stays in memory until that is committed.
func (f *feed) freeze(c *checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.firings = f.tail.frozen()
	f.begins = c.logFirst // before the commit: afterwards it would be too late to say so
	for _, r := range f.receipts {
		c.put(receiptKey(r.off), []byte(r.id))
	}
}

// committed drops from memory what the store has now.
func (f *feed) committed(next nudge.Offset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = next
	f.tail.drop(nudge.Cursor{Offset: next - 1, N: math.MaxUint32})
	f.receipts = slices.DeleteFunc(f.receipts, func(r receipt) bool { return r.off < next })
}

// Firings returns at most limit firings behind a cursor, in order: suppressed and shadow ones too.
func (n *Node) Firings(after nudge.Cursor, limit int) ([]nudge.Firing, error) {
	f := &n.feed
	var out []nudge.Firing
	f.mu.Lock()
	stored, veils := f.stored, f.veils
	tail := f.tailAfter(after, limit)
	f.mu.Unlock()
	if after.Offset < stored {
		from := append(firingKey(after), 0) // the least key behind it
		to := firingKey(nudge.Cursor{Offset: stored})
		err := f.store.Scan(from, to, func(key, value []byte) error {
			if len(out) == limit {
				return errEnough
			}
			x, ok, err := veils.show(key, value)
			if ok {
				out = append(out, x)
			}
			return err
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return append(out, tail[:min(limit-len(out), len(tail))]...), nil
}

// tailAfter returns up to limit firings of the tail behind a cursor. The caller holds the lock.
func (f *feed) tailAfter(after nudge.Cursor, limit int) []nudge.Firing {
	var out []nudge.Firing
	for x := range f.tail.after(after) {
		if len(out) == limit {
			break
		}
		if !isErased(x) {
			out = append(out, *x)
		}
	}
	return out
}

// Last is the cursor of the newest firing.
func (n *Node) Last() nudge.Cursor {
	n.feed.mu.Lock()
	defer n.feed.mu.Unlock()
	return n.feed.last
}

// Span says which records' firings the feed has: all from those of offset begins on up to, but without, those of ends. What earlier records caused
// may have gone with the log's oldest part.
func (n *Node) Span() (begins, ends nudge.Offset) {
	n.feed.mu.Lock()
	defer n.feed.mu.Unlock()
	return n.feed.begins, n.feed.ends
}

// recall tells the deliverers what was fired, and which popups were seen, before the checkpoint's end.
func (n *Node) recall() error {
	o := &n.options
	if o.Recall == 0 {
		return nil
	}
	since := n.engine.clock - o.Recall
	var firings []nudge.Firing
	err := o.Store.ScanReverse([]byte{tableFirings}, []byte{tableFirings + 1}, func(key, value []byte) error {
		x, ok, err := n.feed.veils.show(key, value)
		if err != nil || !ok {
			return err
		}
		if x.At < since {
			return errEnough
		}
		firings = append(firings, x)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if len(firings) == 0 {
		return nil
	}
	slices.Reverse(firings)
	from := receiptKey(firings[0].Cursor.Offset)
	if planted(bugSeenLast) {
		firings = n.tellUpTo(firings, math.MaxUint64)
	}
	err = o.Store.Scan(from, []byte{tableReceipts + 1}, func(key, value []byte) error {
		firings = n.tellUpTo(firings, nudge.Offset(binary.BigEndian.Uint64(key[1:])))
		if o.OnReceipt != nil {
			o.OnReceipt(string(value))
		}
		return nil
	})
	n.tellUpTo(firings, math.MaxUint64)
	return err
}

// tellUpTo tells the deliverers of the firings up to an offset, and returns the others. What is seen at that offset they are told after: in the
// order of the log, so that a popup that was seen never crowds out one that was not.
func (n *Node) tellUpTo(firings []nudge.Firing, off nudge.Offset) []nudge.Firing {
	i, _ := slices.BinarySearchFunc(firings, off, func(x nudge.Firing, o nudge.Offset) int {
		if x.Cursor.Offset <= o {
			return -1
		}
		return 1
	})
	if i > 0 && n.options.OnFirings != nil {
		n.options.OnFirings(firings[:i])
	}
	return firings[i:]
}

func (f *feed) bytes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tail.size
}

// firingBytes is about what a firing takes in memory.
func firingBytes(f *nudge.Firing) int {
	n := 300 + len(f.Key)
	for i := range f.Actions {
		n += 64 + len(f.Actions[i].Name) + len(f.Actions[i].Data)
	}
	return n
}

// firingRoom is what a firing's row takes in a commit, at most, where none of its texts needs escapes. The actions' data has its own already.
func firingRoom(f *nudge.Firing) int {
	const fixed, action, source = 260, 31, 21 // bytes of the JSON's names, signs and numbers, all numbers at their longest
	n := rowOverhead + firingKeySize + fixed + len(f.ID) + len(f.Rule) + len(f.Per) + len(f.Key) + len(f.Cause) + len(f.Visitor) + len(f.Suppressed)
	for i := range f.Actions {
		n += action + len(f.Actions[i].Name) + len(f.Actions[i].Data)
	}
	return n + source*len(f.Sources)
}

const firingKeySize = 1 + 8 + 4

func firingKey(c nudge.Cursor) []byte {
	key := binary.BigEndian.AppendUint64([]byte{tableFirings}, uint64(c.Offset))
	return binary.BigEndian.AppendUint32(key, c.N)
}

func receiptKey(off nudge.Offset) []byte {
	return binary.BigEndian.AppendUint64([]byte{tableReceipts}, uint64(off))
}

func cursorOf(key []byte) nudge.Cursor {
	return nudge.Cursor{Offset: nudge.Offset(binary.BigEndian.Uint64(key[1:])), N: binary.BigEndian.Uint32(key[9:])}
}
