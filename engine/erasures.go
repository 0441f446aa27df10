package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"nudge"
)

// erasures are a node's erasures whose person has not left every file yet, and the receipts of those that are done. An erase record has its
// effect on the state when it is applied; what the files still hold a goroutine removes (eraser.go), once a checkpoint covers the record: until
// then a restart reads the log that it will rewrite. When all is gone it has a receipt record appended, which completes the erasure.
// Safe for concurrent use.
type erasures struct {
	node *Node
	wake chan struct{} // there may be something to remove now

	mu      sync.Mutex
	open    map[nudge.Offset]*erasure
	done    map[nudge.Offset]*erasure // complete; in the checkpoint that is written next, or has just been
	changed chan struct{}             // closed when one is complete, and replaced
}

// erasure is one erasure, as the store keeps it.
type erasure struct {
	Receipt nudge.Receipt
	Person  *person      `json:",omitempty"` // until it is complete
	Purged  bool         // no stored firing is the person's
	Counted bool         // the log's records of the person are counted:
	First   nudge.Offset // the first of them, 0 if there is none
	Last    nudge.Offset

	ended nudge.Offset // offset of the receipt record
	fresh bool         // no checkpoint holds it
}

// maxErasures bounds the erasures that are not complete (I8).
const maxErasures = 1000

func (x *erasures) init(n *Node) {
	x.node, x.wake, x.changed = n, make(chan struct{}, 1), make(chan struct{})
	x.open, x.done = map[nudge.Offset]*erasure{}, map[nudge.Offset]*erasure{}
}

// Erase removes a person from the state at once, and from all files after that: a visitor, or a user with every visitor that it is known to
// have been; or a company's key, with the events that name nobody. It returns when the record is applied, with what the state held; whether anybody was known does not matter. Erasure and
// WaitErasure say more. An error about whom to erase wraps ErrErase; nudge.ErrBusy: too many are under way.
func (n *Node) Erase(ctx context.Context, kind, id string) (nudge.Receipt, error) {
	rec, err := newEraseRecord(kind, id)
	if err != nil {
		return nudge.Receipt{}, err
	}
	if n.erasures.count() >= maxErasures {
		return nudge.Receipt{}, nudge.ErrBusy
	}
	r := &request{records: rec, count: 1, decide: true, alone: true, hint: id}
	if _, err := n.submit(ctx, r); err != nil {
		return nudge.Receipt{}, err
	}
	receipt, _, err := n.Erasure(r.first)
	return receipt, err
}

// Erasure is what is known of an erasure, and whether there is one of that id.
func (n *Node) Erasure(id nudge.Offset) (nudge.Receipt, bool, error) {
	x := &n.erasures
	x.mu.Lock()
	e := x.open[id]
	if e == nil {
		e = x.done[id]
	}
	if e != nil {
		defer x.mu.Unlock()
		return e.Receipt, true, nil
	}
	x.mu.Unlock()
	value, ok, err := n.options.Store.Get(erasureKey(id))
	if err != nil || !ok {
		return nudge.Receipt{}, false, err
	}
	e, err = readErasure(value)
	if err != nil {
		return nudge.Receipt{}, false, err
	}
	return e.Receipt, true, nil
}

// WaitErasure is Erasure once it is complete, or ctx or the node ends.
func (n *Node) WaitErasure(ctx context.Context, id nudge.Offset) (nudge.Receipt, bool, error) {
	for {
		n.erasures.mu.Lock()
		changed := n.erasures.changed
		n.erasures.mu.Unlock()
		receipt, ok, err := n.Erasure(id)
		if err != nil || !ok || receipt.Complete {
			return receipt, ok, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return receipt, true, nil
		case <-n.stopping:
			return receipt, true, nil
		}
	}
}

func (x *erasures) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.open)
}

// begin notes what an erase record has removed from the state, and takes the person out of the feed.
func (x *erasures) begin(gone *erased) {
	n := x.node
	e := &erasure{Person: gone.person, fresh: true}
	r := &e.Receipt
	r.ID, r.Kind, r.At = gone.off, gone.record.Kind, gone.at
	r.Digest = fmt.Sprintf("%x", gone.record.Keys[0].Digest[:])
	r.State.Visitors, r.State.Users, r.State.Companies = gone.counts.Visitors, gone.counts.Users, gone.counts.Companies
	r.State.OtherKeys, r.State.Values = gone.counts.Others, gone.counts.Values
	r.Feed.Removed, r.Feed.Redacted = n.feed.erase(gone.off, gone.person)
	if n.options.OnErase != nil {
		n.options.OnErase(gone.person.isVisitor)
	}
	x.mu.Lock()
	x.open[gone.off] = e
	x.mu.Unlock()
	n.stats.ErasuresOpen.Store(uint64(x.count()))
	n.writer.wanted = true
	x.poke()
}

// complete takes a receipt record.
func (x *erasures) complete(rec nudge.Record, off nudge.Offset, at nudge.Millis) error {
	var r nudge.Receipt
	if err := json.Unmarshal([]byte(rec.Field(nudge.NameSettings).Text), &r); err != nil {
		return fmt.Errorf("a receipt record: %w", err)
	}
	r.Complete, r.CompletedAt = true, at
	x.mu.Lock()
	delete(x.open, r.ID)
	x.done[r.ID] = &erasure{Receipt: r, Purged: true, Counted: true, ended: off}
	close(x.changed)
	x.changed = make(chan struct{})
	x.mu.Unlock()
	x.node.feed.unveil(r.ID)
	x.node.stats.Erasures.Add(1)
	x.node.stats.ErasuresOpen.Store(uint64(x.count()))
	return nil
}

// receiptRecord is the record that completes an erasure.
func receiptRecord(r nudge.Receipt) []byte {
	r.Complete = true
	var b nudge.RecordBuilder
	b.Begin(nudge.RecordReceipt, nudge.NameNone)
	b.Text(nudge.NameSettings, string(mustJSON(r)))
	b.End(0)
	return b.Buf
}

// poke wakes the goroutine that removes.
func (x *erasures) poke() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// freeze puts into a checkpoint what it is the first to hold. Rows of erasures that it does not put are the eraser's to change.
func (x *erasures) freeze(c *checkpoint) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c.erasuresFrom = c.logFirst
	for _, off := range slices.Sorted(maps.Keys(x.open)) {
		e := x.open[off]
		c.erasuresFrom = min(c.erasuresFrom, off)
		if e.fresh {
			e.fresh = false
			c.put(erasureKey(off), mustJSON(e))
		}
	}
	for _, off := range slices.Sorted(maps.Keys(x.done)) {
		c.put(erasureKey(off), mustJSON(x.done[off]))
	}
}

// committed forgets what a checkpoint holds now.
//
//nudge:unordered each by itself
func (x *erasures) committed(next nudge.Offset) {
	x.mu.Lock()
	for off, e := range x.done {
		if e.ended < next {
			delete(x.done, off)
		}
	}
	x.mu.Unlock()
	x.poke()
}

// load reads the erasures of the store's checkpoint that are not complete.
func (x *erasures) load(st Store) error {
	return st.Scan([]byte{tableErasures}, []byte{tableErasures + 1}, func(key, value []byte) error {
		e, err := readErasure(value)
		if err != nil || e.Receipt.Complete {
			return err
		}
		x.open[e.Receipt.ID] = e
		if !e.Purged && !planted(bugVeilLost) {
			x.node.feed.veil(e.Receipt.ID, e.Person)
		}
		x.node.stats.ErasuresOpen.Store(uint64(len(x.open)))
		return nil
	})
}

func readErasure(value []byte) (*erasure, error) {
	e := &erasure{}
	if err := json.Unmarshal(value, e); err != nil {
		return nil, fmt.Errorf("stored erasure: %w", err)
	}
	if e.Person == nil && !e.Receipt.Complete {
		return nil, errors.New("stored erasure: it is not complete and does not say whose it is")
	}
	return e, nil
}

// before are the persons of the erasures before an offset whose records the log may still hold.
func (x *erasures) before(off nudge.Offset) (all gone) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(x.open)) {
		if id < off {
			all = all.with(id, x.open[id].Person)
		}
	}
	return all
}

func erasureKey(off nudge.Offset) []byte {
	return binary.BigEndian.AppendUint64([]byte{tableErasures}, uint64(off))
}
