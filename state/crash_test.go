package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// crasher takes, before every operation that changes files, copies of what a crash there could leave on the disk: only what was synced, and
// what was synced with a random part of the rest.
type crasher struct {
	mem   *vfs.MemFS
	rng   *rand.Rand
	state func() any // what the test knows at that moment

	mu     sync.Mutex
	clones []clone
}

type clone struct {
	fs    *vfs.MemFS
	op    string
	state any
}

func newCrasher(mem *vfs.MemFS, seed uint64, state func() any) *crasher {
	return &crasher{mem: mem, rng: rand.New(rand.NewPCG(seed, 0)), state: state}
}

// taken are the copies so far: Pebble may be compacting, and change files, while a test looks at them.
func (c *crasher) taken() []clone {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.clones)
}

func (c *crasher) fs() vfs.FS {
	return errorfs.Wrap(linker{MemFS: c.mem, mu: &c.mu}, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			c.crash(fmt.Sprint(op.Kind, " ", op.Path))
		}
		return nil
	}))
}

// linker keeps links and copies apart: Pebble's MemFS locks for reading twice to make a link, and never ends if a copy begins between.
type linker struct {
	*vfs.MemFS
	mu *sync.Mutex
}

func (l linker) Link(from, to string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.MemFS.Link(from, to)
}

func (c *crasher) crash(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, percent := range []int{0, 50, 100} {
		fs := c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
		c.clones = append(c.clones, clone{fs: fs, op: fmt.Sprintf("before %s, %d %% of the rest", op, percent), state: c.state()})
	}
}
