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

// damage flips one bit of the log's files on a copy of the medium, and wants a process that opens it either to say so, or to know all that anybody
// outside was told of (I7). known is the last such offset.
func (w *world) damage(r *rand.Rand, known nudge.Offset) {
	m := w.medium.leave(func() bool { return true })
	path, at := m.flip(r)
	if path == "" {
		return
	}
	next, err := w.tryOpen(m)
	var damage *state.Damage
	switch {
	case errors.As(err, &damage):
		w.report.Damages++
	case err != nil:
		w.problem("I7: a bit of %s at byte %d was flipped, and opening says %v, which names no place", path, at, err)
	case next <= known:
		w.problem("I7: a bit of %s at byte %d was flipped: the log ends with offset %d, though %d was told of, and nothing says so", path, at, next-1, known)
	}
}

// flip flips a bit of one of the log's files, mostly near the end of its last segment's entries.
func (m *medium) flip(r *rand.Rand) (path string, at int) {
	var logs []string
	for _, name := range m.paths() {
		if strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, "/manifest") {
			logs = append(logs, name)
		}
	}
	if len(logs) == 0 {
		return "", 0
	}
	path = logs[r.IntN(len(logs))]
	if r.IntN(2) == 0 {
		path = logs[len(logs)-1-min(1, len(logs)-1)*r.IntN(2)]
	}
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

// tryOpen opens a folder, recovers and reads the whole log, and returns the offset behind its end.
func (w *world) tryOpen(m *medium) (next nudge.Offset, err error) {
	names := nudge.NewNames()
	dir, err := state.Open(dataDir, state.Options{FS: newDisk(m, 0).fs(), SegmentBytes: w.segmentBytes, Names: names, CacheBytes: 1 << 20})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	node, err := engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{Names: names, Shards: 1}, Log: dir.Log, Store: dir.Store, Wall: w.now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	if err := node.Recover(); err != nil {
		return 0, fmt.Errorf("recover: %w", err)
	}
	next = dir.Log.Next()
	err = dir.Log.Read(0, func(nudge.Entry) error { return nil })
	ended, end := context.WithCancel(context.Background())
	end()
	return next, errors.Join(err, node.Run(ended))
}
