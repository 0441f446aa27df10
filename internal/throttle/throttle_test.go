package throttle

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := slog.New(slog.NewTextHandler(&b, nil))
		var quiet Log
		said := func() string {
			defer b.Reset()
			_, s, _ := strings.Cut(strings.TrimSpace(b.String()), "level=")
			return s
		}
		for range 3 {
			quiet.Warn(l, "it is late", "by", 7)
		}
		if got := said(); got != `WARN msg="it is late" by=7 skipped=0` {
			t.Error(got)
		}
		time.Sleep(For - time.Nanosecond)
		quiet.Error(l, "it failed")
		if got := said(); got != "" {
			t.Errorf("within the time: %s", got)
		}
		time.Sleep(time.Nanosecond)
		quiet.Error(l, "it failed", "err", errors.New("no"))
		if got := said(); got != `ERROR msg="it failed" err=no skipped=3` {
			t.Error(got)
		}
	})
}
