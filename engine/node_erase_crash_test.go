package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// TestErasureCrashes lets the node crash between any two operations on its files while persons are erased and others come, and starts it
// again until all is done. Then no file holds a secret, each erasure that was answered has one receipt, and each receipt says the same as one
// without a crash.
func TestErasureCrashes(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*histories); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &erasing{TB: t, rng: rand.New(rand.NewPCG(seed, 11)), fs: vfs.NewCrashableMem()}
				h.play()
				if t.Failed() {
					t.Logf("again, as far as goroutines allow: go test ./engine -run TestErasureCrashes -seed %d -histories 1", seed)
				}
			})
		})
	}
}

// erasing is one data folder through several processes.
type erasing struct {
	testing.TB
	rng     *rand.Rand
	fs      *vfs.MemFS
	people  []secrets
	todo    []secrets      // whose erasure has not been answered by a process that lived
	erased  []nudge.Offset // of answered erasures
	whole   []nudge.Offset // of those whose person came and was erased before any crash
	crashes int

	mu      sync.Mutex
	ops     int
	crashAt int
	next    *vfs.MemFS // what the crash left
}

func (h *erasing) play() {
	const crashing = 8
	for n := range crashing + 1 {
		h.process(n == crashing)
	}
	if h.crashes < 4 || len(h.whole) < 2 {
		h.Errorf("%d crashes, %d erasures: the history tests too little", h.crashes, len(h.whole))
	}
	h.Logf("%d crashes, %d people, %d answered erasures, %d of them without a crash", h.crashes, len(h.people), len(h.erased), len(h.whole))
}

// process is one process, from opening the folder to a crash, or to the end of all work.
func (h *erasing) process(last bool) {
	h.ops, h.next, h.crashAt = 0, nil, 1+h.rng.IntN(400)
	if last {
		h.crashAt = -1
	}
	l, err := tryLife(h, lifeOptions{
		fs: errorfs.Wrap(h.fs, errorfs.InjectorFunc(h.operation)), shards: 1 + h.rng.IntN(4), checkpoint: 3 + h.rng.IntN(10), segmentBytes: 4 << 10,
	})
	if err != nil {
		h.Fatalf("I7: a crash is taken for damage: %v", err)
	}
	l.run()
	l.deploy(keepers()...)
	for _, person := range slices.Clone(h.todo) { // a crash may have taken the event that says that they are one
		for _, visitor := range person.visitors {
			h.erase(l, person, "visitor", visitor)
		}
		h.erase(l, person, "user", person.mail)
		h.erase(l, person, "user", person.user)
	}
	rounds := 1 + h.rng.IntN(3)
	if last {
		rounds = 2 // nothing crashes: these are whole
	}
	for round := range rounds {
		person := newSecrets(h.rng)
		h.people, h.todo = append(h.people, person), append(h.todo, person)
		person.live(l, round)
		others(l, len(h.people))
		if id := h.erase(l, person, "user", person.user); id != 0 {
			h.whole = append(h.whole, id)
		}
		time.Sleep(time.Duration(h.rng.IntN(2)*h.rng.IntN(300)) * time.Millisecond)
	}
	if last {
		h.check(l)
	} else {
		time.Sleep(time.Duration(h.rng.IntN(3000)) * time.Millisecond)
		if h.rng.IntN(4) > 0 {
			h.crash()
		}
	}
	l.end()
	if h.next != nil {
		h.fs, h.crashes = h.next, h.crashes+1
	}
}

// erase erases a person. It returns the erasure's id if the process still lives when it is answered.
func (h *erasing) erase(l *life, person secrets, kind, id string) nudge.Offset {
	r, err := l.node.Erase(context.Background(), kind, id)
	if err != nil {
		h.Fatal(err)
	}
	if !h.lives() {
		return 0
	}
	h.erased = append(h.erased, r.ID)
	h.todo = slices.DeleteFunc(h.todo, func(s secrets) bool { return id == person.user && s.user == id })
	return r.ID
}

func (h *erasing) operation(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	h.mu.Lock()
	h.ops++
	crashes := h.ops == h.crashAt
	h.mu.Unlock()
	if crashes {
		h.crash()
	}
	return nil
}

// crash keeps what a crash at this moment could leave on the disk. The process goes on, unseen, until it is stopped.
func (h *erasing) crash() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next == nil {
		percent := []int{0, 0, 30, 60, 100}[h.ops%5]
		h.next = h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(h.ops), 12))})
	}
}

func (h *erasing) lives() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next == nil
}

func (h *erasing) check(l *life) {
	for _, off := range h.erased {
		l.erased(off)
	}
	for _, off := range h.whole {
		r := l.erased(off)
		if r.State.Visitors != 2 || r.State.Users != 2 || r.Log.Records != 5 || r.Feed.Removed < 10 {
			h.Errorf("receipt %+v", r)
		}
	}
	receipts := map[nudge.Offset]int{}
	for _, r := range l.kinds(nudge.RecordReceipt) {
		receipts[receiptIn(h, r.rec).ID]++
	}
	for _, off := range h.erased {
		if receipts[off] != 1 {
			h.Errorf("erasure %d has %d receipts", off, receipts[off])
		}
	}
	if n := l.node.Stats().ErasuresOpen.Load(); n > 0 {
		time.Sleep(2 * time.Minute) // one that was logged before a crash, and not answered
	}
	for i := range h.people {
		if left := l.leftIn(h.fs, h.people[i].all()); len(left) > 0 {
			h.Errorf("of person %d is left: %s", i, strings.Join(left, "\n"))
		}
	}
}

func receiptIn(t testing.TB, rec nudge.Record) (r nudge.Receipt) {
	if err := json.Unmarshal([]byte(rec.Field(nudge.NameSettings).Text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}
