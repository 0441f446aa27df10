// Package beside lets work that lasts seconds go on beside a server's traffic.
package beside

import (
	"os"
	"runtime"
)

// Run runs work, and meanwhile lets goroutines have one core more than there are. Work that never waits keeps a core to itself until Go's
// scheduler takes it away, which may be 10 ms later; what comes in for the traffic waits so long. With one more, as many threads as there are
// cores go on serving, and the system, which sees who has waited, shares the cores among all of them.
//
// It is for one piece of work of a process at a time. Lost: pauses in the work, which took four times as long and disturbed more; and a
// thread of lower priority, which made no difference to be measured.
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
	work()
}
