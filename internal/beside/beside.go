// Package beside lets work that lasts seconds go on beside a server's traffic.
package beside

import (
	"os"
	"runtime"
	"sync"
)

// nice is how many steps the work's thread gives way to others: with ten it has a tenth of a core where all others want both, and all that
// nobody else wants.
const nice = 10

// Core is the core that a process has more than there are, while there is work beside its traffic. A process has one, in the hands of who
// puts its parts together.
type Core struct {
	mu    sync.Mutex
	works int // that go on
	cores int // before the first of them
}

// Run runs work on a thread of its own that gives way to all others, and meanwhile lets goroutines have one core more than there are. Work
// that never waits keeps a core to itself until Go's scheduler takes it away, which may be 10 ms later, and what comes in for the traffic
// waits so long. With one more, as many threads as there are cores go on serving, and the system shares the cores among all of them.
//
// Lost: pauses in the work, which took four times as long and disturbed more; and one more core at all times, which costs throughput.
func (c *Core) Run(work func()) {
	c.take()
	defer c.giveBack()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine, as nobody may give it back what it gave up
		giveWay()
		work()
	}()
	<-done
}

func (c *Core) take() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.works++; c.works == 1 {
		c.cores = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(c.cores + 1)
	}
}

func (c *Core) giveBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.works--; c.works > 0 {
		return
	}
	if os.Getenv("GOMAXPROCS") != "" {
		runtime.GOMAXPROCS(c.cores)
	} else {
		runtime.SetDefaultGOMAXPROCS() // the runtime goes on following what the system allows the process
	}
}
