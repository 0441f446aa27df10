// Package beside lets work that lasts seconds go on beside a server's traffic.
package beside

import (
	"os"
	"runtime"
)

// nice is how many steps the work's thread gives way to others: with ten it has a tenth of a core where all others want both, and all that
// nobody else wants.
const nice = 10

// Run runs work on a thread of its own that gives way to all others, and meanwhile lets goroutines have one core more than there are. Work
// that never waits keeps a core to itself until Go's scheduler takes it away, which may be 10 ms later, and what comes in for the traffic
// waits so long. With one more, as many threads as there are cores go on serving, and the system shares the cores among all of them.
//
// It is for one piece of work of a process at a time. Lost: pauses in the work, which took four times as long and disturbed more.
func Run(work func()) {
	cores := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(cores + 1)
	defer func() {
		if os.Getenv("GOMAXPROCS") != "" {
			runtime.GOMAXPROCS(cores)
		} else {
			runtime.SetDefaultGOMAXPROCS() // the runtime goes on following what the system allows the process
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it: the thread ends with the goroutine, as nobody may give it back what it gave up
		giveWay()
		work()
	}()
	<-done
}
