package beside

import (
	"os"
	"runtime"
	"testing"
)

// Works have one core more, however many they are, and after the last of them there are as many as before.
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
		inside, between := 0, 0
		var core Core
		core.Run(func() {
			during = runtime.GOMAXPROCS(0)
			core.Run(func() { inside = runtime.GOMAXPROCS(0) })
			between = runtime.GOMAXPROCS(0)
		})
		after := runtime.GOMAXPROCS(0)
		if during != before+1 || inside != during || between != during || after != before {
			t.Errorf("GOMAXPROCS=%q: %d cores before, %d during the work, %d and %d in and behind one beside it, %d after it", asked, before, during, inside, between, after)
		}
	}
}
