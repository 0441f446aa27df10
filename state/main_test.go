package state

import (
	"testing"

	"go.uber.org/goleak"
)

// The package's goroutines end with Close: the one that makes a spare, and Pebble's.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
