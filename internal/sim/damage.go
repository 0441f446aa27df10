package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// damage flips one bit of the log's or the store's files on a copy of the medium, and wants a process that opens it either to name the place, or
// to know all that anybody outside was told of (I7).
func (w *world) damage(r *rand.Rand) {
	m := w.medium.leave(func() bool { return true })
	path, at := m.flip(r)
	if path == "" {
		return
	}
	place := fmt.Sprintf("a bit of %s at byte %d was flipped", path, at)
	next, feed, err := w.tryOpen(m)
	var inLog *state.Damage
	var inStore *state.StoreDamage
	switch {
	case errors.As(err, &inLog) || errors.As(err, &inStore) || err != nil && strings.Contains(err.Error(), "records are missing"):
		w.report.Damages++
	case err != nil:
		w.problem("I7: %s, and opening says %v, which names no place", place, err)
	case next <= w.known:
		w.problem("I7: %s: the log ends with offset %d, though %d was told of, and nothing says so", place, next-1, w.known)
	default:
		w.compareTold(place, feed)
	}
}

// compareTold wants all firings that somebody was told of to be in a feed, from its first on.
func (w *world) compareTold(place string, feed []nudge.Firing) {
	if len(feed) == 0 {
		return
	}
	ids := map[cursor]string{}
	for _, f := range feed {
		ids[f.Cursor] = f.ID
	}
	g := w.gone()
	for at, f := range w.told {
		if !at.Less(feed[0].Cursor) && ids[at] != f.ID && !g.hides(&f) {
			w.problem("I7: %s: the feed has %q at %v, where %s was", place, ids[at], at, f.ID)
			return
		}
	}
}

// flip flips a bit of one of the files, mostly near the end of what is written in it.
func (m *medium) flip(r *rand.Rand) (path string, at int) {
	var files []string
	for _, name := range m.paths() {
		if strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, "/manifest") || strings.HasSuffix(name, ".sst") || strings.Contains(name, "/MANIFEST-") {
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		return "", 0
	}
	path = files[r.IntN(len(files))]
	b := m.live[path].durable
	end := len(strings.TrimRight(string(b), "\x00"))
	if end == 0 {
		return "", 0
	}
	at = r.IntN(end)
	if r.IntN(2) == 0 {
		at = end - 1 - r.IntN(min(end, 300))
	}
	b[at] ^= 1 << r.IntN(8)
	mustWrite(m.mem, path, b)
	return path, at
}

// tryOpen opens a folder, recovers and reads the whole log and the feed, and returns the offset behind the log's end.
func (w *world) tryOpen(m *medium) (next nudge.Offset, feed []nudge.Firing, err error) {
	names := nudge.NewNames()
	dir, err := state.Open(dataDir, state.Options{FS: newDisk(m, 0).fs(), SegmentBytes: w.segmentBytes, Names: names, CacheBytes: 1 << 20})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	node, err := engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{Names: names, Shards: 1}, Log: dir.Log, Store: dir.Store, Wall: w.now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, nil, err
	}
	if err := node.Recover(); err != nil {
		return 0, nil, fmt.Errorf("recover: %w", err)
	}
	next = dir.Log.Next()
	err = dir.Log.Read(0, func(nudge.Entry) error { return nil })
	feed, ferr := node.Firings(cursor{}, 10_000)
	ended, end := context.WithCancel(context.Background())
	end()
	return next, feed, errors.Join(err, ferr, node.Run(ended))
}
