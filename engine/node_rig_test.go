package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
	"nudge/ingest"
	"nudge/rules"
	"nudge/state"
)

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// faults are what goes wrong, by operation: "append", "sync", "read", "drop", "await", "trim", "commit", "get", "purge", "scan". A hook runs before its operation, which
// fails where it returns an error and waits while it does not return.
type faults struct {
	mu    sync.Mutex
	hooks map[string]func() error
	kept  atomic.Uint64 // from where on the log was to be kept when it was trimmed last
}

func (f *faults) set(op string, hook func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks[op] = hook
}

func (f *faults) at(op string) error {
	f.mu.Lock()
	hook := f.hooks[op]
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook()
}

// faultyLog and faultyStore are a log and a store with faults.
type faultyLog struct {
	Log
	*faults
}

type faultyStore struct {
	Store
	*faults
}

func (l faultyLog) Append(e nudge.Entry) error {
	if err := l.at("append"); err != nil {
		return err
	}
	return l.Log.Append(e)
}

func (l faultyLog) Sync() error {
	if err := l.at("sync"); err != nil {
		return err
	}
	return l.Log.Sync()
}

func (l faultyLog) Read(from nudge.Offset, f func(nudge.Entry) error) error {
	if err := l.at("read"); err != nil {
		return err
	}
	return l.Log.Read(from, f)
}

func (l faultyLog) ReadAhead(from nudge.Offset, f func([]nudge.Entry) error) error {
	if err := l.at("read"); err != nil {
		return err
	}
	return l.Log.ReadAhead(from, f)
}

func (l faultyLog) Drop(ctx context.Context, from, through nudge.Offset, drop func(nudge.Offset, nudge.Record) bool) (int, error) {
	if err := l.at("drop"); err != nil {
		return 0, err
	}
	return l.Log.Drop(ctx, from, through, drop)
}

func (l faultyLog) AwaitRemoval(ctx context.Context) error {
	if err := l.at("await"); err != nil {
		return err
	}
	return l.Log.AwaitRemoval(ctx)
}

func (l faultyLog) Trim(keepFrom nudge.Offset, now nudge.Millis) error {
	if err := l.at("trim"); err != nil {
		return err
	}
	l.kept.Store(uint64(keepFrom))
	return l.Log.Trim(keepFrom, now)
}

func (s faultyStore) Commit(write func(w Writer) error) error {
	if err := s.at("commit"); err != nil {
		return err
	}
	return s.Store.Commit(write)
}

func (s faultyStore) Get(key []byte) ([]byte, bool, error) {
	if err := s.at("get"); err != nil {
		return nil, false, err
	}
	return s.Store.Get(key)
}

func (s faultyStore) Purge(ctx context.Context) error {
	if err := s.at("purge"); err != nil {
		return err
	}
	return s.Store.Purge(ctx)
}

func (s faultyStore) Scan(from, to []byte, f func(key, value []byte) error) error {
	if err := s.at("scan"); err != nil {
		return err
	}
	return s.Store.Scan(from, to, f)
}

// life is one process: a node on a data folder, and what its deliverers were told.
type life struct {
	testing.TB
	faults
	names *nudge.Names
	dir   *state.Dir
	node  *Node
	cut   context.CancelFunc
	done  chan error

	closed bool
	held   []func()

	seen     sync.Mutex
	fired    []nudge.Firing
	receipts []string
	order    []string             // of firings, as offsets, and receipts
	gone     []func(string) bool  // visitors that were erased
	wake     func([]nudge.Firing) // runs in OnFirings
}

type lifeOptions struct {
	fs           vfs.FS // default: a new one in memory
	shards       int    // default 2
	wall         func() time.Time
	segmentBytes int64
	logMax       int64
	checkpoint   int // records; default: only at the end
	recall       nudge.Millis
	lateness     nudge.Millis
	memory       int64
	dedup        int          // events
	names        *nudge.Names // default: a new table
	read         int          // rows of each shard that are read before the node is ready, and between two batches; default 1 behind a node that reads none before
}

const dataDir = "data"

// tryLife opens the folder and recovers. The node does not run yet.
func tryLife(t testing.TB, o lifeOptions) (*life, error) {
	if o.fs == nil {
		o.fs = vfs.NewMem()
	}
	if o.shards == 0 {
		o.shards = 2
	}
	if o.segmentBytes == 0 {
		o.segmentBytes = 256 << 10
	}
	if o.names == nil {
		o.names = nudge.NewNames()
	}
	l := &life{TB: t, faults: faults{hooks: map[string]func() error{}}, names: o.names, done: make(chan error, 1)}
	var err error
	l.dir, err = state.Open(dataDir, state.Options{FS: o.fs, SegmentBytes: o.segmentBytes, LogMaxBytes: o.logMax, Names: l.names, CacheBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	first := o.read
	if o.read == 0 {
		first, o.read = -1, 1
	}
	l.node, err = NewNode(NodeOptions{
		Engine: Options{Names: l.names, Shards: o.shards, Lateness: o.lateness, DedupEvents: o.dedup}, Log: faultyLog{l.dir.Log, &l.faults}, Store: faultyStore{l.dir.Store, &l.faults},
		Wall: o.wall, Logger: slog.New(slog.DiscardHandler), Recall: o.recall, CheckpointRecords: o.checkpoint, Memory: o.memory, ReadFirst: first, ReadStep: o.read,
		OnFirings: l.onFirings, OnReceipt: l.onReceipt, OnErase: l.onErase,
	})
	t.Cleanup(l.abandon)
	if err == nil {
		err = l.node.Recover()
	}
	if err != nil {
		l.closeDir()
		return nil, err
	}
	return l, nil
}

// begin opens the folder and runs the node.
func begin(t testing.TB, o lifeOptions) *life {
	t.Helper()
	l, err := tryLife(t, o)
	if err != nil {
		t.Fatal(err)
	}
	l.run()
	return l
}

func (l *life) run() {
	ctx, cut := context.WithCancel(context.Background())
	l.cut = cut
	go func() { l.done <- l.node.Run(ctx); close(l.done) }()
}

// abandon ends what a failed test has left running.
func (l *life) abandon() {
	l.letGo()
	if l.cut != nil {
		l.cut()
		<-l.done
	}
	if !l.closed {
		_ = l.dir.Close()
	}
}

// end stops the node as a signal does.
func (l *life) end() {
	l.Helper()
	l.letGo()
	l.cut()
	if err := <-l.done; err != nil {
		l.Fatalf("Run: %v", err)
	}
	l.closeDir()
}

func (l *life) closeDir() {
	l.Helper()
	l.closed = true
	if err := l.dir.Close(); err != nil {
		l.Fatalf("close: %v", err)
	}
}

func (l *life) onFirings(f []nudge.Firing) {
	l.seen.Lock()
	l.fired = append(l.fired, f...)
	for i := range f {
		l.order = append(l.order, fmt.Sprint(f[i].Cursor.Offset))
	}
	wake := l.wake
	l.seen.Unlock()
	if wake != nil {
		wake(f)
	}
}

func (l *life) onReceipt(id string) {
	l.seen.Lock()
	defer l.seen.Unlock()
	l.receipts = append(l.receipts, id)
	l.order = append(l.order, id)
}

func (l *life) onErase(isVisitor func(string) bool) {
	l.seen.Lock()
	defer l.seen.Unlock()
	l.gone = append(l.gone, isVisitor)
}

// told is what the deliverers have been told so far.
func (l *life) told() []nudge.Firing {
	l.seen.Lock()
	defer l.seen.Unlock()
	return slices.Clone(l.fired)
}

// records decodes events, one JSON object each.
func (l *life) records(lines ...string) []byte {
	l.Helper()
	codec := ingest.NewCodec(ingest.CodecOptions{Names: l.names})
	var b nudge.RecordBuilder
	for _, line := range lines {
		if _, _, err := codec.ReplayEvent([]byte(line), &b); err != nil {
			l.Fatalf("%v: %s", err, line)
		}
	}
	return b.Buf
}

// send submits events and wants them taken. It returns what they fired.
func (l *life) send(lines ...string) []nudge.Firing {
	l.Helper()
	firings, err := l.node.Submit(context.Background(), l.records(lines...), len(lines), true)
	if err != nil {
		l.Fatalf("Submit: %v", err)
	}
	return firings
}

// answer is what a request got.
type answer struct {
	firings []nudge.Firing
	err     error
}

// later submits events beside the caller. The channel has the answer once there is one.
func (l *life) later(decide bool, records []byte, count int) chan answer {
	c := make(chan answer, 1)
	go func() {
		f, err := l.node.Submit(context.Background(), records, count, decide)
		c <- answer{f, err}
	}()
	return c
}

// ruleFiles are the files of a rules folder, from id, text pairs.
func ruleFiles(pairs ...string) (sources []rules.Source) {
	for i := 0; i < len(pairs); i += 2 {
		sources = append(sources, rules.Source{File: pairs[i] + ".expr", Text: pairs[i+1]})
	}
	return sources
}

// deploy deploys rules, given as id, text pairs, and wants them to compile.
func (l *life) deploy(pairs ...string) {
	l.Helper()
	diags, err := l.node.Deploy(context.Background(), ruleFiles(pairs...))
	if err != nil || diags.HasErrors() {
		l.Fatalf("Deploy: %v %v", err, diags.Err())
	}
}

// gate is closed by open, at the test's end at the latest.
func (l *life) gate() (gate chan struct{}, open func()) {
	gate = make(chan struct{})
	open = sync.OnceFunc(func() { close(gate) })
	l.held = append(l.held, open)
	return gate, open
}

// letGo opens all gates: a test that failed may have left some closed.
func (l *life) letGo() {
	for _, open := range l.held {
		open()
	}
}

// erase erases a person and waits until it has left all files.
func (l *life) erase(kind, id string) nudge.Receipt {
	l.Helper()
	r, err := l.node.Erase(context.Background(), kind, id)
	if err != nil {
		l.Fatalf("Erase: %v", err)
	}
	return l.erased(r.ID)
}

// erased waits until an erasure is complete.
func (l *life) erased(id nudge.Offset) nudge.Receipt {
	l.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	r, ok, err := l.node.WaitErasure(ctx, id)
	if err != nil || !ok || !r.Complete {
		l.Fatalf("erasure %d: %v %v %+v", id, ok, err, r)
	}
	return r
}

// hold makes an operation wait until release is called.
func (l *life) hold(op string) (release func()) {
	gate, release := l.gate()
	l.set(op, func() error { <-gate; return nil })
	return release
}

// walk reads the feed from a cursor to its end, limit firings at a time.
func (l *life) walk(after nudge.Cursor, limit int) []nudge.Firing {
	l.Helper()
	var all []nudge.Firing
	for {
		part, err := l.node.Firings(after, limit)
		if err != nil {
			l.Fatalf("Firings(%v, %d): %v", after, limit, err)
		}
		if len(part) > limit {
			l.Fatalf("Firings(%v, %d) returned %d", after, limit, len(part))
		}
		if len(part) == 0 {
			return all
		}
		for i := range part {
			if !after.Less(part[i].Cursor) {
				l.Fatalf("I5: in the feed %v follows %v", part[i].Cursor, after)
			}
			after = part[i].Cursor
		}
		all = append(all, part...)
	}
}

// entries are those of the log.
func (l *life) entries() (entries []nudge.Entry) {
	l.Helper()
	err := l.dir.Log.Read(0, func(e nudge.Entry) error {
		e.Records = slices.Clone(e.Records)
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		l.Fatalf("read the log: %v", err)
	}
	return entries
}

// logged is a record of the log.
type logged struct {
	off nudge.Offset
	at  nudge.Millis
	rec nudge.Record
}

func (l *life) logged() (all []logged) {
	l.Helper()
	for _, e := range l.entries() {
		off := e.First
		for rest := e.Records; len(rest) > 0; off++ {
			rec, next, err := nudge.NextRecord(rest)
			if err != nil {
				l.Fatalf("offset %d: %v", off, err)
			}
			all = append(all, logged{off, e.At, rec})
			rest = next
		}
	}
	return all
}

// kinds are the log's records of a kind.
func (l *life) kinds(k nudge.RecordKind) (some []logged) {
	for _, r := range l.logged() {
		if r.rec.Kind() == k {
			some = append(some, r)
		}
	}
	return some
}

// warm waits until no rule is warming.
func (l *life) warm() {
	l.Helper()
	for range 1000 {
		if l.node.Stats().RulesWarming.Load() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	l.Fatalf("still warming after a second: %+v", l.node.Rules())
}

// reference is what an engine with one shard, fed with the log record by record from its beginning, says that was fired. What rules read
// back they take over at once.
func (l *life) reference() []nudge.Firing {
	l.Helper()
	e, err := New(Options{Names: l.names, Shards: 1})
	if err != nil {
		l.Fatal(err)
	}
	e.warms = true
	var all []nudge.Firing
	var b Batch
	records := l.logged()
	for i, r := range records {
		b.Reset()
		b.Add(r.off, r.at, r.rec)
		all = append(all, e.Apply(&b)...)
		switch r.rec.Kind() {
		case nudge.RecordLive:
			goLiveAt(l, e, records[:i+1])
		case nudge.RecordDeploy:
			settings, err := readSettings(r.rec.Field(nudge.NameSettings).Text)
			if err != nil {
				l.Fatal(err)
			}
			plan, err := settings.compile(r.rec.Field(nudge.NameRule).Text, l.names, nil)
			if err != nil {
				l.Fatal(err)
			}
			e.use(settings)
			e.deployed = r.off
			e.Deploy(plan)
		}
	}
	return all
}

// goLiveAt makes the warming rules of an engine live, if the last record is theirs, with what the records hold.
func goLiveAt(t testing.TB, e *Engine, records []logged) {
	t.Helper()
	live, err := readLive(records[len(records)-1].rec)
	if err != nil {
		t.Fatal(err)
	}
	if !e.cold() || live.Deploy != e.deployed {
		return
	}
	w := newWarmer(e, live.From)
	for _, r := range records {
		if err := w.take(nudge.Entry{First: r.off, At: r.at, Count: 1, Records: r.rec}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	e.goLive(w)
	e.finishTakeOver()
}

// same wants the firings, their ids and cursors to be equal to the byte.
func same(t testing.TB, what string, got, want []nudge.Firing) {
	t.Helper()
	if g, w := text(got), text(want); g != w {
		t.Fatalf("%s: %s", what, difference(g, w))
	}
}

// brief lists firings as "rule key", one word each.
func brief(firings []nudge.Firing) string {
	var words []string
	for _, f := range firings {
		word := f.Rule + ":" + f.Key
		if f.Suppressed != "" {
			word += "(" + f.Suppressed + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func event(typ, visitor, more string) string {
	return fmt.Sprintf(`{"type":%q,"visitor":%q%s}`, typ, visitor, more)
}
