package beside

import (
	"os"
	"runtime"
	"testing"
)

// The work has one core more; after it, whether it returned or panicked, there are as many as before.
func TestRun(t *testing.T) {
	runtime.SetDefaultGOMAXPROCS()
	for _, asked := range []string{"", "3"} {
		t.Setenv("GOMAXPROCS", asked)
		if asked == "" {
			os.Unsetenv("GOMAXPROCS")
		} else {
			defer runtime.SetDefaultGOMAXPROCS()
			runtime.GOMAXPROCS(3)
		}
		before, during := runtime.GOMAXPROCS(0), 0
		Run(func() { during = runtime.GOMAXPROCS(0) })
		func() {
			defer func() { _ = recover() }()
			Run(func() { panic("the work fails") })
		}()
		if after := runtime.GOMAXPROCS(0); during != before+1 || after != before {
			t.Errorf("GOMAXPROCS=%q: %d cores before, %d during the work, %d after it", asked, before, during, after)
		}
	}
}
