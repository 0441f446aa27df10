package beside

import "syscall"

// giveWay lets the calling thread give way to others. Where the system does not allow it, it goes on as it is.
func giveWay() {
	thread := syscall.Gettid()
	if priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, thread); err == nil {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, thread, 20-priority+nice) // the kernel answers 20 less the thread's steps
	}
}
