package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
	"nudge/state"
)

var errInjected = errors.New("injected fault")

// answered says whether a request has its answer; nothing may be left that could still run.
func answered(c chan answer) bool { return len(c) > 0 }

// I1, I5: before the sync returns nobody is answered, nothing is applied and no consumer sees anything; and then all of it.
func TestNothingBeforeTheSync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{checkpoint: 1})
		defer l.end()
		l.deploy("each", `{per: visitor, when: on(page_view), then: popup("p", {})}`)
		synctest.Wait()
		checkpoint := l.node.stats.CheckpointNext.Load()
		release := l.hold("sync")
		plain := l.later(false, l.records(event("page_view", "v1", "")), 1)
		synctest.Wait()
		decide := l.later(true, l.records(event("page_view", "v2", "")), 1)
		synctest.Wait()
		if answered(plain) || answered(decide) {
			t.Fatal("a request was answered before the sync returned")
		}
		if len(l.told()) > 0 || len(l.walk(nudge.Cursor{}, 9)) > 0 || l.node.Last() != (nudge.Cursor{}) {
			t.Fatal("a consumer saw a firing before its cause was durable")
		}
		if got := l.node.stats.CheckpointNext.Load(); got != checkpoint {
			t.Fatalf("a checkpoint reaches to %d: ahead of the log", got)
		}
		release()
		synctest.Wait()
		if a := <-plain; a.err != nil || len(a.firings) > 0 {
			t.Errorf("without decide: %v, %s", a.err, brief(a.firings))
		}
		if a := <-decide; a.err != nil || brief(a.firings) != "each:v2" {
			t.Errorf("with decide: %v, %s", a.err, brief(a.firings))
		}
		if got := brief(l.told()); got != "each:v1 each:v2" {
			t.Errorf("the deliverers were told %q", got)
		}
	})
}

// Decide returns what the request's own records fired, delivered, and nothing else: not others' firings, not timers', not shadow
// or suppressed ones.
func TestDecideIsOnesOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy(
			"each", `{per: visitor, when: on(page_view), then: popup("p", {}), cooldown: "1m"}`,
			"shade", `{per: visitor, when: on(page_view), then: popup("s", {}), mode: "shadow"}`,
			"next", `{per: visitor, when: on(fired and rule == "each"), then: popup("n", {})}`,
			"slow", `{per: visitor, when: dwell(form_view, "1s", until(page_leave)), then: popup("d", {})}`)
		l.send(event("form_view", "v1", ""))
		release := l.hold("sync")
		first := l.later(true, l.records(event("click", "v9", "")), 1) // is being synced while the others gather in one batch
		synctest.Wait()
		a := l.later(true, l.records(event("page_view", "v1", ""), event("page_view", "v1", "")), 2)
		synctest.Wait()
		b := l.later(true, l.records(event("page_view", "v2", "")), 1)
		synctest.Wait()
		c := l.later(true, l.records(event("click", "v1", "")), 1)
		synctest.Wait()
		release()
		for _, tt := range []struct {
			answer chan answer
			want   string
		}{{first, ""}, {a, "each:v1 next:v1"}, {b, "each:v2 next:v2"}, {c, ""}} {
			if got := <-tt.answer; got.err != nil || brief(got.firings) != tt.want {
				t.Errorf("%v, %q, want %q", got.err, brief(got.firings), tt.want)
			}
		}
		if n := l.node.stats.Batches.Load(); n != 4 {
			t.Errorf("%d batches, want 4: the deployment, the form, one alone and one of three requests", n)
		}
	})
}

// Who was taken from the queue but not into the batch that failed, and who comes into the queue behind the end, is told that it has come.
func TestTurnedAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		gate, open := l.gate()
		appends := 0
		l.set("append", func() error {
			if appends++; appends == 1 {
				<-gate
				return nil
			}
			return errInjected
		})
		view := l.records(event("page_view", "v", ""))
		l.later(false, view, 1)
		synctest.Wait()
		deployed := make(chan error, 1)
		go func() {
			_, err := l.node.Deploy(context.Background(), ruleFiles("r", `{per: visitor, when: on(page_view), then: alert("a", {})}`))
			deployed <- err
		}()
		synctest.Wait() // it is alone in its batch: the next one waits for another
		held, queued := l.later(false, view, 1), l.later(false, view, 1)
		synctest.Wait()
		open()
		if err := <-l.done; !errors.Is(err, errInjected) {
			t.Fatalf("Run: %v", err)
		}
		synctest.Wait()
		late, behind := &request{done: make(chan result, 1)}, make(chan error, 1)
		l.node.queue <- late
		go func() {
			_, err := l.node.answer(late)
			behind <- err
		}()
		synctest.Wait()
		if len(deployed)+len(held)+len(queued)+len(behind) != 4 {
			t.Fatalf("answered: the deployment %d, who was held %d, who was in the queue %d, who came behind the end %d", len(deployed), len(held), len(queued), len(behind))
		}
		for _, err := range []error{<-deployed, (<-held).err, (<-queued).err, <-behind} {
			if !errors.Is(err, nudge.ErrStopped) {
				t.Errorf("error %v, want %v", err, nudge.ErrStopped)
			}
		}
		l.closeDir()
	})
}

// I9: after a failed operation Run ends with it, everybody who waits gets an error, everybody who comes later ErrStopped, and the
// log is not touched any more. What was answered before is durable.
func TestFailureEndsTheNode(t *testing.T) {
	for _, op := range []string{"append", "sync", "trim", "commit"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				l := begin(t, lifeOptions{fs: fs, checkpoint: 10})
				l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {})}`)
				l.send(event("page_view", "v1", ""))
				synctest.Wait()
				gate, open := l.gate()
				failed := 0
				l.set(op, func() error { failed++; <-gate; return fmt.Errorf("%w: %s", errInjected, op) })
				var waiting []chan answer
				for i := range 20 {
					waiting = append(waiting, l.later(i%2 == 0, l.records(event("page_view", "w", "")), 1))
				}
				synctest.Wait()
				time.Sleep(time.Second) // the applier looks after checkpoints now and then
				deploy := make(chan error, 1)
				go func() {
					_, err := l.node.Deploy(context.Background(), ruleFiles("other", `{per: visitor, when: on(page_view), then: alert("b", {})}`))
					deploy <- err
				}()
				synctest.Wait()
				open()
				err := <-l.done
				if !errors.Is(err, errInjected) {
					t.Fatalf("Run: %v", err)
				}
				if failed != 1 {
					t.Errorf("%s was tried %d times", op, failed)
				}
				synctest.Wait()
				acked := 0
				for _, c := range waiting {
					if !answered(c) {
						t.Fatal("a request is still waiting")
					}
					if a := <-c; a.err == nil {
						acked++
					} else if !errors.Is(a.err, nudge.ErrStopped) {
						t.Errorf("Submit: %v", a.err)
					}
				}
				if logFails := op == "append" || op == "sync"; logFails && (acked > 0 || <-deploy == nil) {
					t.Errorf("%d requests were answered though their %s failed, or the deployment was", acked, op)
				}
				for range 10 {
					if _, err := l.node.Submit(context.Background(), l.records(event("page_view", "late", "")), 1, false); !errors.Is(err, nudge.ErrStopped) {
						t.Fatalf("Submit after the end: %v", err)
					}
				}
				if _, err := l.node.Deploy(context.Background(), nil); !errors.Is(err, nudge.ErrStopped) {
					t.Errorf("Deploy after the end: %v", err)
				}
				crashed := fs.CrashClone(vfs.CrashCloneCfg{})
				l.closeDir()
				again := begin(t, lifeOptions{fs: crashed})
				if got := len(again.walk(nudge.Cursor{}, 100)); got < 1+acked || got > 21 {
					t.Errorf("%d firings after the restart; %d were answered", got, 1+acked)
				}
				same(t, "after the restart", again.walk(nudge.Cursor{}, 7), again.reference())
				again.end()
			})
		})
	}
}

// I9 on a file system whose operations fail: Run's error names the file, and what was acknowledged is there afterwards.
func TestFailingDisk(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   errorfs.OpKind
		file string // part of the path
		want string
	}{
		{"sync of the log", errorfs.OpFileSyncData, "/log/", "log segment"},
		{"write to the log", errorfs.OpFileWriteAt, "/log/", "log segment"},
		{"table of the store", errorfs.OpCreate, ".sst", "checkpoint"},
		{"write to the store", errorfs.OpFileWrite, ".sst", "checkpoint"},
		{"sync of the store", errorfs.OpFileSyncData, ".sst", "checkpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				mem := vfs.NewCrashableMem()
				var armed atomic.Bool
				fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
					if armed.Load() && op.Kind == tt.op && strings.Contains(op.Path, tt.file) {
						return errorfs.ErrInjected
					}
					return nil
				}))
				l := begin(t, lifeOptions{fs: fs, checkpoint: 30})
				l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {})}`)
				acked := 0
				for i := 0; ; i++ { // no wait for silence: Pebble, which tries again without end, is never silent
					if i == 2000 {
						t.Fatal("no operation failed: the test does not test")
					}
					armed.Store(i >= 20)
					_, err := l.node.Submit(context.Background(), l.records(event("page_view", "v", "")), 1, false)
					if err != nil {
						break
					}
					acked++
				}
				err := <-l.done
				if !errors.Is(err, errorfs.ErrInjected) || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("Run: %v", err)
				}
				crashed := mem.CrashClone(vfs.CrashCloneCfg{})
				l.closed = true
				_ = l.dir.Close() // says once more what failed
				again := begin(t, lifeOptions{fs: crashed})
				if got := len(again.walk(nudge.Cursor{}, 100)); got != acked {
					t.Errorf("%d firings after the restart, %d acknowledged events", got, acked)
				}
				again.end()
			})
		})
	}
}

// I8: with the log held up the node takes maxQueue requests and refuses the next ones; what it took goes into the log, once and
// in order, and nothing of what it refused.
func TestBoundOfRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{segmentBytes: 4 << 20})
		defer l.end()
		l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {n: n})}`)
		release := l.hold("sync")
		record := func(n int) []byte { return l.records(event("page_view", "v", fmt.Sprintf(`,"n":%d`, n))) }
		var taken []chan answer
		for n := range 1 + maxQueue { // one is being synced
			taken = append(taken, l.later(n%2 == 0, record(n), 1))
			synctest.Wait()
		}
		for n := range 3 {
			if _, err := l.node.Submit(context.Background(), record(-1-n), 1, n == 0); !errors.Is(err, nudge.ErrBusy) {
				t.Fatalf("request %d beyond the bound: %v", n, err)
			}
		}
		if _, err := l.node.Deploy(context.Background(), nil); !errors.Is(err, nudge.ErrBusy) {
			t.Fatalf("a deployment beyond the bound: %v", err)
		}
		if got := l.node.stats.Busy.Load(); got != 4 {
			t.Errorf("Busy counts %d, want 4", got)
		}
		release()
		synctest.Wait()
		wantTaken(l, taken)
		if _, err := l.node.Submit(context.Background(), record(len(taken)), 1, true); err != nil {
			t.Fatalf("after the hold-up: %v", err)
		}
		if got := l.node.queuedBytes.Load(); got != 0 {
			t.Errorf("%d bytes are still counted as waiting", got)
		}
	})
}

// wantTaken wants every request answered without an error, and the events' n in the log to be 0, 1, 2, …
func wantTaken(l *life, taken []chan answer) {
	l.Helper()
	for i, c := range taken {
		if !answered(c) {
			l.Fatalf("request %d is still waiting", i)
		}
		if a := <-c; a.err != nil {
			l.Fatalf("request %d: %v", i, a.err)
		}
	}
	n, _ := l.names.Find("n")
	events := l.kinds(nudge.RecordEvent)
	if len(events) != len(taken) {
		l.Fatalf("the log holds %d events, %d were taken", len(events), len(taken))
	}
	for i, r := range events {
		if got := r.rec.Field(n).Num; got != float64(i) {
			l.Fatalf("event %d of the log is number %v", i, got)
		}
	}
}

// I8: the bytes that wait are bounded too, to the byte; a request that does not fit takes nothing from the room of one that does.
func TestBoundOfBytes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{segmentBytes: 4 << 20})
		defer l.end()
		typ, _ := l.names.Intern("big")
		number, _ := l.names.Intern("n")
		record := func(n, size int) []byte {
			var b nudge.RecordBuilder
			for pass := range 2 { // the second knows how much is missing
				pad := ""
				if pass == 1 {
					pad = strings.Repeat("a", size-b.Size())
					b.Abort()
				}
				b.Begin(nudge.RecordEvent, typ)
				b.Number(number, float64(n))
				b.Text(nudge.NameTitle, pad)
			}
			b.End(0)
			if len(b.Buf) != size {
				t.Fatalf("a record of %d bytes, want %d", len(b.Buf), size)
			}
			return b.Buf
		}
		release := l.hold("sync")
		taken := []chan answer{l.later(false, record(0, 100), 1)}
		synctest.Wait()
		const last = 1000
		left := maxQueueBytes - last
		for n := 1; left > 0; n++ {
			size := min(left, nudge.MaxRecordBytes)
			taken = append(taken, l.later(false, record(n, size), 1))
			synctest.Wait()
			left -= size
		}
		for _, size := range []int{last + 1, nudge.MaxRecordBytes, last + 1} {
			if _, err := l.node.Submit(context.Background(), record(-1, size), 1, false); !errors.Is(err, nudge.ErrBusy) {
				t.Fatalf("%d bytes where %d fit: %v", size, last, err)
			}
		}
		taken = append(taken, l.later(false, record(len(taken), last), 1))
		synctest.Wait()
		if answered(taken[len(taken)-1]) {
			t.Fatalf("%d bytes where %d fit: %v", last, last, (<-taken[len(taken)-1]).err)
		}
		if _, err := l.node.Submit(context.Background(), record(-1, 100), 1, false); !errors.Is(err, nudge.ErrBusy) {
			t.Fatalf("100 bytes where nothing fits: %v", err)
		}
		release()
		synctest.Wait()
		wantTaken(l, taken)
	})
}

// I8: a deliverer that does not return slows the node down to a stand: a few batches are taken ahead of it, then requests wait,
// then they are refused.
func TestBoundBehindTheApplier(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {})}`)
		gate, open := l.gate()
		l.wake = func([]nudge.Firing) { <-gate }
		record := func(n int) []byte { return l.records(event("page_view", "v", fmt.Sprintf(`,"n":%d`, n))) }
		var taken []chan answer
		for {
			n := len(taken)
			c := l.later(false, record(n), 1)
			synctest.Wait()
			if answered(c) {
				if a := <-c; errors.Is(a.err, nudge.ErrBusy) {
					break
				} else {
					c <- a
				}
			}
			taken = append(taken, c)
			if len(taken) > 2*maxQueue {
				t.Fatal("the queue has no bound")
			}
		}
		durable := 0
		for _, c := range taken {
			if answered(c) {
				durable++
			}
		}
		if ahead := l.node.stats.Batches.Load() - 1; durable != int(ahead) || ahead > uint64(cap(l.node.spare)) || len(taken) != durable+maxQueue {
			t.Errorf("%d requests are durable in %d batches, %d were taken", durable, ahead, len(taken))
		}
		open()
		synctest.Wait()
		wantTaken(l, taken)
	})
}

// A node that has stopped says so, whatever was waiting when it did: a sender that is told to come back later would come for ever.
func TestStoppedIsNotBusy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		gate, open := l.gate()
		l.set("sync", func() error { <-gate; return errInjected })
		small := l.records(event("page_view", "v", ""))
		l.later(false, small, 1)
		synctest.Wait()
		for range maxQueueBytes / maxRequestBytes {
			l.later(false, make([]byte, maxRequestBytes), 1)
		}
		synctest.Wait()
		if _, err := l.node.Submit(context.Background(), small, 1, false); !errors.Is(err, nudge.ErrBusy) {
			t.Fatalf("at the bound: %v", err)
		}
		open()
		<-l.done
		if _, err := l.node.Submit(context.Background(), small, 1, false); !errors.Is(err, nudge.ErrStopped) {
			t.Errorf("after the end: %v, want %v", err, nudge.ErrStopped)
		}
		l.closeDir()
	})
}

// A request of the largest size is taken; a larger one is refused by itself, and so is one without records.
func TestSizeOfRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		typ, _ := l.names.Intern("big")
		request := func(size int) []byte {
			var b nudge.RecordBuilder
			b.Begin(nudge.RecordEvent, typ)
			b.Text(nudge.NameTitle, "")
			pad := strings.Repeat("a", size-b.Size())
			b.Abort()
			b.Begin(nudge.RecordEvent, typ)
			b.Text(nudge.NameTitle, pad)
			b.End(0)
			return b.Buf
		}
		if _, err := l.node.Submit(context.Background(), request(maxRequestBytes), 1, true); err != nil {
			t.Errorf("%d bytes: %v", maxRequestBytes, err)
		}
		if _, err := l.node.Submit(context.Background(), request(maxRequestBytes+1), 1, true); err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxRequestBytes)) {
			t.Errorf("%d bytes: %v", maxRequestBytes+1, err)
		}
		l.send(event("page_view", "v", ""))
		if got := len(l.kinds(nudge.RecordEvent)); got != 2 {
			t.Errorf("%d events in the log, want 2", got)
		}
	})
}

// I7: a checkpoint that reaches beyond the log's end keeps the node from starting; the error names file and offset.
func TestLogThatLostItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		for range 5 {
			l.send(event("page_view", "v", ""))
		}
		l.end()
		if err := fs.RemoveAll(dataDir + "/log"); err != nil {
			t.Fatal(err)
		}
		_, err := tryLife(t, lifeOptions{fs: fs})
		if err == nil {
			t.Fatal("the node starts though its log is gone")
		}
		for _, want := range []string{dataDir + "/log/", "offset 5"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not name %q: %v", want, err)
			}
		}
	})
}

// I7: a store that went back to before the log's beginning does not start either.
func TestStoreThatWentBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs, segmentBytes: 600, checkpoint: 5})
		l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {})}`)
		for i := range 60 {
			l.send(event("page_view", "v", fmt.Sprintf(`,"title":%q`, strings.Repeat(string(rune('a'+i%26)), 100))))
		}
		synctest.Wait()
		if err := l.dir.Log.Trim(l.dir.Log.Next(), 1<<60); err != nil {
			t.Fatal(err)
		}
		if l.dir.Log.First() == 1 {
			t.Fatal("nothing was trimmed: the test does not test")
		}
		l.end()
		if err := fs.RemoveAll(dataDir + "/store"); err != nil {
			t.Fatal(err)
		}
		_, err := tryLife(t, lifeOptions{fs: fs, segmentBytes: 600})
		if err == nil || !strings.Contains(err.Error(), "records are missing") {
			t.Fatalf("%v", err)
		}
	})
}

// failingRead is a log whose reading ends with an error after some entries.
type failingRead struct {
	Log
	after int
}

func (l failingRead) ReadAhead(from nudge.Offset, f func([]nudge.Entry) error) error {
	return l.Log.Read(from, func(e nudge.Entry) error {
		if l.after--; l.after < 0 {
			return errors.New("planted: the disk does not read")
		}
		return f([]nudge.Entry{e})
	})
}

// A recovery that fails while a checkpoint is being committed waits for it: its caller closes the store next.
func TestRecoverWaitsForItsCheckpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		l := feedLife(t, lifeOptions{fs: fs})
		for n := range 10 {
			l.send(page(n))
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		l.end()

		dir, err := state.Open(dataDir, state.Options{FS: crashed, Names: l.names})
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		held := faults{hooks: map[string]func() error{}}
		committing, goOn := make(chan struct{}), make(chan struct{})
		held.set("commit", func() error { close(committing); <-goOn; return nil })
		n, err := NewNode(NodeOptions{
			Engine: Options{Names: l.names, Shards: 2}, Log: failingRead{dir.Log, 8}, Store: faultyStore{dir.Store, &held}, CheckpointRecords: 2,
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		recovered := make(chan error, 1)
		go func() { recovered <- n.Recover() }()
		<-committing
		synctest.Wait()
		if len(recovered) > 0 {
			t.Error("Recover ends while a checkpoint is being committed")
		}
		close(goOn)
		if err := <-recovered; err == nil || !strings.Contains(err.Error(), "does not read") {
			t.Errorf("Recover: %v", err)
		}
	})
}
