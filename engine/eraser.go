package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"nudge"
)

// eraseRetry is how long the eraser waits after a failure before it tries again.
const eraseRetry = time.Minute

// run is the goroutine that removes erased persons from the files, until ctx ends. What it has done it finds done when it begins again: a
// failure, or a crash anywhere, costs only time.
func (x *erasures) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	said := ""
	for {
		err := x.work(ctx)
		if ctx.Err() != nil {
			return
		}
		retry.Reset(time.Hour)
		if err != nil {
			retry.Reset(eraseRetry)
			if said != err.Error() {
				said = err.Error()
				x.node.options.Logger.Error("erased persons are still in files; it is tried again", "error", err)
			}
		}
		select {
		case <-x.wake:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
	}
}

// work removes the persons whose erasure is covered by a checkpoint from the files, all in one pass.
func (x *erasures) work(ctx context.Context) (err error) {
	todo := x.ready()
	if len(todo) == 0 {
		return nil
	}
	x.node.options.Beside(func() {
		p := &pass{erasures: x, ctx: ctx, todo: todo}
		for _, step := range []func() error{p.purgeFeed, p.countRecords, p.rewriteLog, p.awaitTrimmed, p.purgeStore, p.complete} {
			if err = step(); err != nil {
				return
			}
		}
	})
	return err
}

// ready are the erasures that a checkpoint covers. One whose person is still read back for a rule that was deployed before waits until that
// has a checkpoint of its own: a restart would read the log again, and must find the same.
//
//nudge:unordered sorted at the end
func (x *erasures) ready() (todo []*erasure) {
	next, reads := nudge.Offset(x.node.stats.CheckpointNext.Load()), nudge.Offset(x.node.warmup.reads.Load())
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.open {
		if id := e.Receipt.ID; id < next && (reads == 0 || id < reads) {
			todo = append(todo, e)
		}
	}
	slices.SortFunc(todo, func(a, b *erasure) int { return cmp.Compare(a.Receipt.ID, b.Receipt.ID) })
	return todo
}

// pass is one pass over all files.
type pass struct {
	*erasures
	ctx  context.Context
	todo []*erasure // by offset
}

// purgeRows is how many firings are changed in one commit.
const purgeRows = 4096

// left are the erasures for which a step is still to be done, and their persons at the same places.
func (p *pass) left(done func(*erasure) bool) (todo []*erasure, persons gone) {
	var list []goneAt
	for _, e := range p.todo {
		if !done(e) {
			todo, list = append(todo, e), append(list, goneAt{e.Receipt.ID, e.Person})
		}
	}
	return todo, goneOf(list)
}

// purgeFeed takes the persons out of the stored firings. An erased firing leaves its cursor, so that whoever has come as far still knows where it is.
func (p *pass) purgeFeed() error {
	todo, persons := p.left(func(e *erasure) bool { return e.Purged })
	if len(todo) == 0 {
		return nil
	}
	from, to := []byte{tableFirings}, firingKey(nudge.Cursor{Offset: todo[len(todo)-1].Receipt.ID + 1})
	for from != nil {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		c, err := p.findChanged(persons, from, to)
		if err != nil {
			return err
		}
		from = c.next
		for i, e := range todo {
			p.change(func() {
				e.Receipt.Feed.Removed += c.removed[i]
				e.Receipt.Feed.Redacted += c.redacted[i]
				e.Purged = c.next == nil
			})
		}
		if err := p.save(todo, c.rows); err != nil {
			return err
		}
	}
	for _, e := range todo {
		p.node.feed.unveil(e.Receipt.ID)
	}
	return nil
}

// changedFirings are stored firings as they should be.
type changedFirings struct {
	rows              []row
	removed, redacted []int  // how many of them, by person
	next              []byte // where to go on, nil at the end
}

// findChanged finds up to purgeRows stored firings from a key on that must change.
func (p *pass) findChanged(persons gone, from, to []byte) (c changedFirings, err error) {
	c.removed, c.redacted = make([]int, len(persons.list)), make([]int, len(persons.list))
	err = p.node.options.Store.Scan(from, to, func(key, value []byte) error {
		if len(c.rows) == purgeRows {
			c.next = slices.Clone(key)
			return errEnough
		}
		f, err := readFiring(cursorOf(key), value)
		if err != nil || isErased(&f) {
			return err
		}
		changed := false
		persons.take(&f, func(i int, removed bool) {
			if changed = true; removed {
				c.removed[i]++
			} else {
				c.redacted[i]++
			}
		})
		if changed {
			c.rows = append(c.rows, row{slices.Clone(key), appendFiring(nil, &f)})
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return c, err
}

// change is f with erasures that others may read.
func (x *erasures) change(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f()
}

// save stores erasures, and rows beside them.
func (x *erasures) save(list []*erasure, rows []row) error {
	return x.node.options.Store.Commit(func(w Writer) error {
		for _, r := range rows {
			w.Put(r.key, r.value)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, e := range list {
			w.Put(erasureKey(e.Receipt.ID), mustJSON(e))
		}
		return nil
	})
}

// countRecords counts the persons' records in the log, before any of them is a void: a receipt says how many there were, whatever crashes come.
func (p *pass) countRecords() error {
	todo, persons := p.left(func(e *erasure) bool { return e.Counted })
	if len(todo) == 0 {
		return nil
	}
	counts, end := make([]erasure, len(todo)), todo[len(todo)-1].Receipt.ID
	err := p.node.options.Log.Read(0, func(entry nudge.Entry) error {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		off, rest := entry.First, entry.Records
		for ; len(rest) > 0 && off < end; off++ {
			var rec nudge.Record
			rec, rest = nudge.SplitRecord(rest)
			persons.whose(off, rec, func(i int) {
				c := &counts[i]
				if c.Receipt.Log.Records++; c.First == 0 {
					c.First = off
				}
				c.Last = off
			})
		}
		if off >= end {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("count the records of erased persons: %w", err)
	}
	for i, e := range todo {
		p.change(func() {
			e.Counted, e.First, e.Last, e.Receipt.Log.Records = true, counts[i].First, counts[i].Last, counts[i].Receipt.Log.Records
		})
	}
	return p.save(todo, nil)
}

// rewriteLog makes the persons' records voids.
func (p *pass) rewriteLog() error {
	todo, persons := p.left(func(e *erasure) bool { return e.Last == 0 })
	if len(todo) == 0 {
		return nil
	}
	first, last := nudge.Offset(math.MaxUint64), nudge.Offset(0)
	for _, e := range todo {
		first, last = min(first, e.First), max(last, e.Last)
	}
	segments, err := p.node.options.Log.Drop(p.ctx, first, last, persons.has)
	p.change(func() {
		for _, e := range todo {
			e.Receipt.Log.Segments += segments
		}
	})
	if err != nil {
		return fmt.Errorf("make the records of erased persons voids: %w", err)
	}
	return nil
}

// awaitTrimmed waits for the files of what the log has dropped, which may hold records of persons that were not counted.
func (p *pass) awaitTrimmed() error {
	if err := p.node.options.Log.AwaitRemoval(p.ctx); err != nil {
		return fmt.Errorf("wait until trimmed segments of the log are gone: %w", err)
	}
	return nil
}

// purgeStore makes the store forget what its rows were before.
func (p *pass) purgeStore() error {
	if err := p.node.options.Store.Purge(p.ctx); err != nil {
		return fmt.Errorf("remove what the store's rows were: %w", err)
	}
	return nil
}

// complete has a receipt record appended for each erasure.
func (p *pass) complete() error {
	for _, e := range p.todo {
		p.mu.Lock()
		rec := receiptRecord(e.Receipt)
		p.mu.Unlock()
		if _, err := p.node.submit(p.ctx, &request{records: rec, count: 1, decide: true, alone: true}); err != nil {
			return fmt.Errorf("append the receipt of erasure %d: %w", e.Receipt.ID, err)
		}
		p.node.options.Logger.Info("an erased person has left all files", "erasure", uint64(e.Receipt.ID))
	}
	return nil
}
