package beside

import "syscall"

// giveWay lets the calling thread give way to others. Where the system does not allow it, it goes on as it is.
func giveWay() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice)
}
