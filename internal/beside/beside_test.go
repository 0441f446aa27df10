package beside

import (
	"os"
	"runtime"
	"testing"
)

// The work has one core more, and after it there are as many as before.
func TestRun(t *testing.T) {
	defer runtime.SetDefaultGOMAXPROCS()
	for _, asked := range []string{"", "3"} {
		t.Setenv("GOMAXPROCS", asked)
		runtime.SetDefaultGOMAXPROCS()
		if asked == "" {
			os.Unsetenv("GOMAXPROCS")
		} else {
			runtime.GOMAXPROCS(3)
		}
		before, during := runtime.GOMAXPROCS(0), 0
		Run(func() { during = runtime.GOMAXPROCS(0) })
		if after := runtime.GOMAXPROCS(0); during != before+1 || after != before {
			t.Errorf("GOMAXPROCS=%q: %d cores before, %d during the work, %d after it", asked, before, during, after)
		}
	}
}
