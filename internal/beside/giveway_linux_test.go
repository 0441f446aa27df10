package beside

import (
	"runtime"
	"syscall"
	"testing"
)

// The work's thread gives way, and no thread that others run on does so later.
func TestGivesWay(t *testing.T) {
	priority := func() int { // 20 − nice, as the kernel answers
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
		if err != nil {
			t.Error(err)
		}
		return p
	}
	before, during := priority(), 0
	new(Core).Run(func() { during = priority() })
	if want := max(before-nice, 1); during != want {
		t.Errorf("priority %d during the work, want %d", during, want)
	}
	for range 100 {
		found := make(chan int)
		go func() { found <- priority() }()
		if after := <-found; after != before {
			t.Fatalf("priority %d after the work, %d before", after, before)
		}
	}
}
