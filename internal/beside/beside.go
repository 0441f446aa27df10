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

// spare is the core that the process has more than there are, while there is work beside its traffic. It is the process's, as the number of
// cores is.
var spare struct {
	sync.Mutex
	works int // that go on
	cores int // before the first of them
}

// Run runs work on a thread of its own that gives way to all others, and meanwhile lets goroutines have one core more than there are. Work
// that never waits keeps a core to itself until Go's scheduler takes it away, which may be 10 ms later, and what comes in for the traffic
// waits so long. With one more, as many threads as there are cores go on serving, and the system shares the cores among all of them.
//
// Lost: pauses in the work, which took four times as long and disturbed more; and one more core at all times, which costs throughput.
func Run(work func()) {
	takeSpare()
	defer giveSpare()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine, as nobody may give it back what it gave up
		giveWay()
		work()
	}()
	<-done
}

func takeSpare() {
	spare.Lock()
	defer spare.Unlock()
	if spare.works++; spare.works == 1 {
		spare.cores = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(spare.cores + 1)
	}
}

func giveSpare() {
	spare.Lock()
	defer spare.Unlock()
	if spare.works--; spare.works > 0 {
		return
	}
	if os.Getenv("GOMAXPROCS") != "" {
		runtime.GOMAXPROCS(spare.cores)
	} else {
		runtime.SetDefaultGOMAXPROCS() // the runtime goes on following what the system allows the process
	}
}
