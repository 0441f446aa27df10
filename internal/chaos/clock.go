//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// steps are how the clock on the wall is set, one after the other, against the right time.
var steps = []time.Duration{time.Hour, 0, -time.Hour, 0, time.Hour, -time.Hour}

// clockSet sets the clock on the wall of a running server forward and back by an hour, and kills it in between. After each step timers must run as
// ever and a popup that fires must be there for its visitor. A sender's own times, corrected by when it sent, must mean what they say.
func clockSet(ctx context.Context, o *options, dir string) (*result, error) {
	if o.skewed == "" {
		return nil, fmt.Errorf("%w: it takes a binary built with -tags skewed", errSkipped)
	}
	file := filepath.Join(dir, "skew")
	set := func(d time.Duration) error {
		return os.WriteFile(file, []byte(strconv.Itoa(int(d.Seconds()))), 0o644)
	}
	if err := set(0); err != nil {
		return nil, err
	}
	t, err := newTrial(ctx, o, dir, "", func(t *trial) { t.set.bin, t.set.env = o.skewed, []string{"NUDGE_SKEW_FILE=" + file} })
	if err != nil {
		return nil, err
	}
	slowest := time.Duration(0)
	for i, step := range steps {
		if err := t.load.more(t.load.accepted() + betweenHarm/4); err != nil {
			return nil, err
		}
		if err := set(step); err != nil {
			return nil, err
		}
		if i%2 == 1 { // the next process starts at another time than the last one ended
			if err := t.server.end(syscall.SIGKILL); err != nil {
				return nil, err
			}
			if err := t.start(); err != nil {
				return nil, err
			}
		}
		took, err := t.lingering(fmt.Sprintf("popup%d", i))
		if err != nil {
			return nil, fmt.Errorf("with the clock %v off: %w", step, err)
		}
		slowest = max(slowest, took)
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("a dwell of %v had its popup after %v at most", stayTime, slowest.Round(10*time.Millisecond))
	}
	return r, err
}

// lingering sends a view, by a sender whose clock is right, and wants the popup of the dwell that it begins.
func (t *trial) lingering(visitor string) (time.Duration, error) {
	begun := time.Now()
	ms := begun.UnixMilli()
	body := fmt.Appendf(nil, `{"type":"linger","visitor":%q,"ts":%d,"sentAt":%d}`, visitor, ms, ms)
	if err := post(t.ctx, t.server.url, body); err != nil {
		return 0, err
	}
	status, text, err := get(t.ctx, t.server.url+"/v1/popups?wait=4s&visitor="+visitor)
	if err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("popups: status %d: %s (%w)", status, text, err)
	}
	var answer struct{ Popups []struct{ Template string } }
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	if len(answer.Popups) != 1 || took < stayTime*9/10-50*time.Millisecond { // log time passes up to a tenth faster until it is right
		return 0, fmt.Errorf("%d popups after %v, want one after about %v: %s", len(answer.Popups), took, stayTime, text)
	}
	return took, nil
}
