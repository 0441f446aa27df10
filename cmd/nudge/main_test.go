package main

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The same signal twice at once is what `timeout` sends to a process and its group; it is no second one.
func TestTwoSignals(t *testing.T) {
	for name, c := range map[string]struct {
		second os.Signal
		after  time.Duration
		ends   bool
	}{
		"one act":            {syscall.SIGTERM, 0, false},
		"just one act":       {syscall.SIGTERM, oneAct - 1, false},
		"the same, later":    {syscall.SIGTERM, oneAct, true},
		"another one":        {os.Interrupt, 0, true},
		"another one, later": {os.Interrupt, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				inOrder, ended := 0, false
				go func() {
					twoSignals(signals, func() { inOrder++ })
					ended = true
				}()
				signals <- syscall.SIGTERM
				synctest.Wait()
				if inOrder != 1 || ended {
					t.Fatalf("behind the first: told %d times, ended %v", inOrder, ended)
				}
				time.Sleep(c.after)
				signals <- c.second
				synctest.Wait()
				if inOrder != 1 || ended != c.ends {
					t.Errorf("behind the second: told %d times, ended %v, want %v", inOrder, ended, c.ends)
				}
				if !ended {
					time.Sleep(oneAct)
					signals <- syscall.SIGTERM // one that is meant
					synctest.Wait()
				}
				if !ended {
					t.Error("it goes on")
				}
			})
		})
	}
}
