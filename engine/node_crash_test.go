package engine

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

var histories = flag.Int("histories", 12, "random histories of a node that crashes")

// TestNodeCrashes lets a node crash between any two operations on its files, with any part of what was not synced, while clients
// send, rules are deployed, timers run and a consumer walks the feed; each next process has another number of shards and other
// settings. Then it wants:
//
//   - I1: what was answered is in the log, once, whole and in order; what was applied is durable;
//   - I2, I3, I4: the feed is, to the byte, what an engine with one shard fires that reads the log record by record from its beginning;
//   - I5: what a consumer or a deliverer saw before a crash is in the feed after it, under the same cursor, and a walk that goes on from its
//     cursor sees exactly the rest;
//   - I7: no crash is taken for damage;
//   - each event that a client sent until it was taken counts once, however often it was sent.
func TestNodeCrashes(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*histories); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				newLives(t, seed).play()
				if t.Failed() {
					t.Logf("again, as far as goroutines allow: go test ./engine -run TestNodeCrashes -seed %d -histories 1", seed)
				}
			})
		})
	}
}

const (
	processes   = 8
	clientCount = 3
)

// lives are those of one data folder through several processes.
type lives struct {
	testing.TB
	rng   *rand.Rand // the main goroutine's
	seed  uint64
	fs    *vfs.MemFS
	life  *life
	todo  [clientCount][]*call
	stats struct{ crashes, deploys, reads int }

	mu       sync.Mutex
	crashed  bool // what the process does from now on, nobody has seen
	next     *vfs.MemFS
	ops      int
	crashAt  int
	torn     *rand.Rand
	tries    []*try
	walked   []nudge.Firing // by the consumer
	told     map[nudge.Cursor]string
	lastTold nudge.Cursor // of this process
}

// call is one request of a client, to be sent until it is answered.
type call struct {
	events []map[string]any
	sent   bool
}

// try is one sending of a call. Its events carry its number, so that it can be found in the log.
type try struct {
	number, client, events int
	acked, decide          bool
	firings                []nudge.Firing
}

func newLives(t testing.TB, seed uint64) *lives {
	h := &lives{
		TB: t, seed: seed, fs: vfs.NewCrashableMem(), told: map[nudge.Cursor]string{},
		rng: rand.New(rand.NewPCG(seed, 3)), torn: rand.New(rand.NewPCG(seed, 4)),
	}
	unique := 0
	for client := range h.todo {
		_, lines := oracle.Generate(seed*100+uint64(client), 40*processes)
		for len(lines) > 0 {
			n := min(1+h.rng.IntN(4), len(lines))
			c := &call{}
			for _, line := range lines[:n] {
				e := map[string]any{}
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatal(err)
				}
				delete(e, "at")
				delete(e, "ts")
				e["id"], e["u"] = fmt.Sprint("id-", unique), unique
				unique++
				c.events = append(c.events, e)
			}
			lines = lines[n:]
			h.todo[client] = append(h.todo[client], c)
			if h.rng.IntN(12) == 0 {
				h.todo[client] = append(h.todo[client], &call{events: c.events, sent: true}) // a client that sends twice
			}
		}
	}
	return h
}

func (h *lives) play() {
	for n := range processes {
		h.live(n == processes-1)
		time.Sleep(time.Duration(h.rng.IntN(4000)) * time.Millisecond)
	}
	acked := 0
	for _, a := range h.tries {
		if a.acked {
			acked++
		}
	}
	timers, above := 0, 0
	for _, f := range h.walked {
		if f.Timer {
			timers++
		}
		if f.Kind != nudge.KindVisitor && f.Rule != "unique" {
			above++
		}
	}
	h.Logf("%d crashes, %d deployments, %d records read back, %d requests sent %d times, %d firings, %d by timers, %d on higher levels",
		h.stats.crashes, h.stats.deploys, h.stats.reads, acked, len(h.tries), len(h.walked), timers, above)
	if h.stats.reads == 0 || h.stats.crashes == 0 || h.stats.deploys == 0 || timers < 10 || above < 10 {
		h.Error("the history tests too little")
	}
}

// live is one process, from opening the folder to a crash or, the last one, to the end of all work.
func (h *lives) live(last bool) {
	h.prepare(last)
	l, err := tryLife(h, lifeOptions{
		fs: errorfs.Wrap(h.fs, errorfs.InjectorFunc(h.operation)), shards: 1 + h.rng.IntN(8), checkpoint: 5 + h.rng.IntN(60), segmentBytes: 4 << 10,
		lateness: []nudge.Millis{0, 1000, 2000}[h.rng.IntN(3)], memory: []int64{0, 1, 1 << 15}[h.rng.IntN(3)],
	})
	if err != nil {
		h.Fatalf("I7: a crash is taken for damage: %v", err)
	}
	h.life = l
	l.wake = h.deliver
	h.checkRecovered()
	syncs := rand.New(rand.NewPCG(h.seed, h.rng.Uint64()))
	l.set("sync", func() error { time.Sleep(time.Duration(syncs.IntN(20)) * time.Millisecond); return nil }) // so that requests gather
	l.run()
	done := make(chan struct{})
	var clients, reader sync.WaitGroup
	h.Cleanup(func() { // of a test that failed
		h.crash()
		l.cut()
		clients.Wait()
		reader.Wait()
	})
	h.deploy()
	for i := range h.todo {
		quota, rng := 25+h.rng.IntN(20), rand.New(rand.NewPCG(h.seed, h.rng.Uint64()))
		if last {
			quota = len(h.todo[i])
		}
		clients.Go(func() { h.client(i, quota, rng) })
	}
	rng := rand.New(rand.NewPCG(h.seed, h.rng.Uint64()))
	reader.Go(func() { h.consume(rng, done) })
	for range h.rng.IntN(4) {
		time.Sleep(time.Duration(h.rng.IntN(5000)) * time.Millisecond)
		h.deploy()
	}
	if !last && h.rng.IntN(2) == 0 {
		h.crash()
	}
	clients.Wait()
	if last {
		time.Sleep(3 * time.Minute) // for timers
	}
	if !last && h.rng.IntN(4) > 0 {
		h.crash()
	}
	close(done)
	reader.Wait()
	if last {
		h.checkEnd()
	}
	h.stats.reads += int(l.node.Stats().StoreReads.Load())
	l.end()
	if h.next != nil {
		h.fs = h.next
		h.stats.crashes++
	}
}

// prepare decides after how many operations on files the process crashes.
func (h *lives) prepare(last bool) {
	h.crashed, h.next, h.ops, h.lastTold = false, nil, 0, nudge.Cursor{}
	switch {
	case last:
		h.crashAt = -1
	case h.rng.IntN(3) == 0:
		h.crashAt = 1 + h.rng.IntN(60) // while it opens, or soon after
	default:
		h.crashAt = 1 + h.rng.IntN(900)
	}
}

// operation comes before each operation on a file.
func (h *lives) operation(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ops++; h.ops == h.crashAt {
		h.crashLocked()
	}
	return nil
}

func (h *lives) crash() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.crashLocked()
}

// crashLocked keeps what a crash at this moment could leave on the disk. The process goes on, unseen, until it is stopped.
func (h *lives) crashLocked() {
	if h.crashed {
		return
	}
	h.crashed = true
	percent := []int{0, 0, 30, 60, 100}[h.torn.IntN(5)]
	h.next = h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: h.torn})
}

// seen runs f if the process still lives: what comes after the crash was never seen by anybody.
func (h *lives) seen(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.crashed {
		f()
	}
	return !h.crashed
}

// client sends up to quota calls, one after the other.
func (h *lives) client(client, quota int, rng *rand.Rand) {
	for ; quota > 0 && len(h.todo[client]) > 0; quota-- {
		if rng.IntN(2) == 0 {
			time.Sleep(time.Duration(rng.IntN(1+rng.IntN(4000))) * time.Millisecond)
		}
		c := h.todo[client][0]
		a := &try{client: client, events: len(c.events), decide: rng.IntN(2) == 0}
		if !h.seen(func() {
			a.number = len(h.tries)
			h.tries = append(h.tries, a)
		}) {
			return
		}
		firings, err := h.life.node.Submit(context.Background(), h.records(c, a, rng), a.events, a.decide)
		if err != nil && !errors.Is(err, nudge.ErrStopped) {
			h.Errorf("Submit: %v", err)
		}
		if err != nil || !h.seen(func() { a.acked, a.firings = true, firings }) {
			return // nobody knows whether it was taken: the next process gets it again
		}
		h.todo[client] = h.todo[client][1:]
	}
}

// records encodes a call's events. One sent again is the same to the last field but the number of the try.
func (h *lives) records(c *call, a *try, rng *rand.Rand) []byte {
	var lines []string
	for _, e := range c.events {
		if !c.sent && rng.IntN(3) == 0 {
			e["ts"] = time.Now().UnixMilli() - rng.Int64N(2500)
		}
		e["try"] = a.number
		line, err := json.Marshal(e)
		if err != nil {
			h.Error(err)
		}
		lines = append(lines, string(line))
	}
	c.sent = true
	return h.life.records(lines...)
}

// deploy deploys the rules that are always there and some random ones.
func (h *lives) deploy() {
	files := ruleFiles(
		"unique", `{per: id, when: count(has(u), "ever") >= 1, then: alert("unique", {u: u})}`,
		"twice", `{per: id, when: count(has(u), "ever") >= 2, then: alert("twice", {u: u})}`,
		"help", `{per: visitor, when: dwell(form_view, "2s", until(form_submit)), then: popup("help", {form: form})}`,
		"people", `{per: company, when: distinct(page_view, visitor, "10s") >= 2, then: alert("people", {who: values(page_view, visitor, "1m")})}`,
		"chain", `{per: user, when: count(fired and rule == "help", "1m") >= 2, then: alert("chain", {}), cooldown: "5s"}`,
		"up", `{per: company, when: on(fired and rule == "chain"), then: alert("up", {})}`)
	random, _ := oracle.Generate(h.rng.Uint64N(1000), 10)
	for _, r := range random {
		files = append(files, rules.Source{File: r.ID + ".expr", Text: r.Text})
	}
	diags, err := h.life.node.Deploy(context.Background(), files)
	if err != nil || diags.HasErrors() {
		h.Fatalf("Deploy: %v, %v", err, diags.Err())
	}
	h.stats.deploys++
}

// deliver is what the deliverers are told.
func (h *lives) deliver(firings []nudge.Firing) {
	h.seen(func() {
		for _, f := range firings {
			if !h.lastTold.Less(f.Cursor) {
				h.Errorf("I5: the deliverers are told of %v after %v", f.Cursor, h.lastTold)
			}
			h.lastTold = f.Cursor
			if id, ok := h.told[f.Cursor]; ok && id != f.ID {
				h.Errorf("I4: the firing at %v was %s and is %s", f.Cursor, id, f.ID)
			}
			h.told[f.Cursor] = f.ID
		}
	})
}

// consume walks the feed from the cursor that it holds, through all processes.
func (h *lives) consume(rng *rand.Rand, done chan struct{}) {
	for {
		var after nudge.Cursor
		if len(h.walked) > 0 {
			after = h.walked[len(h.walked)-1].Cursor
		}
		part, err := h.life.node.Firings(after, 1+rng.IntN(30))
		if err != nil {
			h.Errorf("Firings: %v", err)
		}
		if len(part) > 0 && !after.Less(part[0].Cursor) {
			h.Errorf("I5: a walk that goes on behind %v sees %v", after, part[0].Cursor)
			return
		}
		if !h.seen(func() { h.walked = append(h.walked, part...) }) {
			return
		}
		if len(part) > 0 {
			continue
		}
		select {
		case <-done:
			return
		case <-time.After(time.Duration(rng.IntN(300)) * time.Millisecond):
		}
	}
}

// checkRecovered looks at a process that has recovered.
func (h *lives) checkRecovered() {
	h.Helper()
	feed := h.life.walk(nudge.Cursor{}, 1000)
	same(h, "I2, I3, I4: the feed after a restart, and the log read back", feed, h.life.reference())
	if len(feed) < len(h.walked) {
		h.Fatalf("I5: the consumer has seen %d firings, the feed has %d", len(h.walked), len(feed))
	}
	same(h, "I5: what the consumer has seen, and the feed", h.walked, feed[:len(h.walked)])
	if len(h.walked) > 0 {
		same(h, "I5: the rest of the consumer's walk", h.life.walk(h.walked[len(h.walked)-1].Cursor, 7), feed[len(h.walked):])
	}
	ids := map[nudge.Cursor]string{}
	for _, f := range feed {
		ids[f.Cursor] = f.ID
	}
	for cursor, id := range h.told {
		if ids[cursor] != id {
			h.Fatalf("I5: the deliverers were told of %s at %v, the feed has %q there", id, cursor, ids[cursor])
		}
	}
	h.checkLog()
}

// checkLog finds every try in the log, and returns the offset of its first event.
func (h *lives) checkLog() map[int]nudge.Offset {
	h.Helper()
	name, _ := h.life.names.Find("try")
	unique, _ := h.life.names.Find("u")
	found, at := map[int][]float64{}, map[int]nudge.Offset{}
	var lastOff nudge.Offset
	var lastAt nudge.Millis
	for _, r := range h.life.logged() {
		if r.off != lastOff+1 || r.at < lastAt {
			h.Fatalf("offset %d at %d follows offset %d at %d", r.off, r.at, lastOff, lastAt)
		}
		lastOff, lastAt = r.off, r.at
		if r.rec.Kind() != nudge.RecordEvent {
			continue
		}
		n := int(r.rec.Field(name).Num)
		if len(found[n]) == 0 {
			at[n] = r.off
		} else if r.off != at[n]+nudge.Offset(len(found[n])) {
			h.Fatalf("the events of try %d are torn apart at offset %d", n, r.off)
		}
		found[n] = append(found[n], r.rec.Field(unique).Num)
	}
	var newest [clientCount]nudge.Offset
	for n, a := range h.tries {
		switch got := found[n]; {
		case len(got) == 0 && a.acked:
			h.Fatalf("I1: request %d was answered and is not in the log", n)
		case len(got) == 0:
			continue
		case len(got) != a.events || !slices.IsSorted(got):
			h.Fatalf("I1: request %d of %d events is in the log as %v", n, a.events, got)
		}
		if at[n] < newest[a.client] {
			h.Fatalf("request %d stands before an earlier one of the same client", n)
		}
		newest[a.client] = at[n]
	}
	return at
}

// checkEnd looks at a node that has done all work, and at the one after it.
func (h *lives) checkEnd() {
	h.Helper()
	synctest.Wait()
	for client, left := range h.todo {
		if len(left) > 0 {
			h.Fatalf("client %d has %d calls left", client, len(left))
		}
	}
	h.checkRecovered()
	feed := h.life.walk(nudge.Cursor{}, 100)
	h.walked = append(h.walked, h.life.walk(h.walked[len(h.walked)-1].Cursor, 9)...) // what fired behind the consumer's last look
	same(h, "I5: one walk through all processes", h.walked, feed)
	at := h.checkLog()
	for n, a := range h.tries {
		if a.acked && a.decide {
			same(h, fmt.Sprintf("what request %d was told that it fired", n), a.firings, caused(feed, at[n], at[n]+nudge.Offset(a.events)))
		}
	}
	times := map[string]int{}
	for _, f := range feed {
		switch f.Rule {
		case "unique":
			times[f.Key]++
		case "twice":
			h.Errorf("the event %s was applied twice", f.Key)
		}
	}
	for _, a := range h.todo {
		if len(a) > 0 {
			h.Fatal("work is left")
		}
	}
	for unique := range clientCount * 40 * processes {
		if id := fmt.Sprint("id-", unique); times[id] != 1 {
			h.Errorf("the event %s fired %d times", id, times[id])
		}
	}
}
