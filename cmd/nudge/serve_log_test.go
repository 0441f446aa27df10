package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"nudge"
	"nudge/state"
)

// serve and replay say of a rule that it looks further back than the log, as check does.
func TestServeWarnsOfWindowsBeyondTheLog(t *testing.T) {
	rules := t.TempDir()
	rule := `{per: visitor, when: count(page_view, "40d") >= 3, then: alert("third page", {})}`
	if err := os.WriteFile(filepath.Join(rules, "third.expr"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flags []string
		warns bool
	}{{nil, true}, {[]string{"--log-keep", "40d"}, false}, {[]string{"--log-keep", "959h"}, true}} {
		s := startServer(t, append([]string{"--rules", rules, "--data", t.TempDir()}, tt.flags...)...)
		if got := s.do("GET", "/metrics", "", 200); !strings.Contains(got, "nudge_state_log_segments 1\n") || !strings.Contains(got, "nudge_state_log_oldest_seconds ") {
			t.Errorf("%v: metrics: %s", tt.flags, got)
		}
		s.end()
		if strings.Contains(s.errs.String(), "W516") != tt.warns {
			t.Errorf("%v: %s", tt.flags, s.errs)
		}
	}
}

// smallLog is a log of many segments.
func smallLog(t *testing.T, dir string) *state.Dir {
	t.Helper()
	d, err := state.Open(dir, state.Options{Names: nudge.NewNames(), SegmentBytes: state.MinSegmentBytes})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		var b nudge.RecordBuilder
		b.Begin(nudge.RecordEvent, nudge.NamePath)
		b.Text(nudge.NameVisitor, strings.Repeat("v", i))
		b.End(nudge.HashKey("visitor", strings.Repeat("v", i)))
		e := nudge.Entry{First: d.Log.Next(), At: nudge.Millis(1000 + i), Count: 1, Records: b.Buf}
		if err := errors.Join(d.Log.Append(e), d.Log.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// keeperOf also returns what the keeper logs, and the value of one of its metrics.
func keeperOf(t *testing.T, log *state.Log) (k *logKeeper, said *bytes.Buffer, metric func(string) float64) {
	t.Helper()
	said = &bytes.Buffer{}
	k = &logKeeper{log: log, logger: slog.New(slog.NewTextHandler(said, nil))}
	registry := prometheus.NewRegistry()
	if err := k.register(registry); err != nil {
		t.Fatal(err)
	}
	return k, said, func(name string) float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if m := f.GetMetric()[0]; f.GetName() == name {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		t.Fatalf("there is no metric %s", name)
		return 0
	}
}

func TestLogKeeperRewrites(t *testing.T) {
	d := smallLog(t, t.TempDir())
	defer d.Close()
	k, said, metric := keeperOf(t, d.Log)
	before := metric("nudge_state_log_bytes")
	k.rewrite(t.Context())
	sealed := metric("nudge_state_log_segments") - 1
	if sealed < 3 || metric("nudge_state_log_rewritten_segments") != sealed || metric("nudge_state_log_rewrites_total") != sealed {
		t.Errorf("%v of %v segments are rewritten", metric("nudge_state_log_rewritten_segments"), sealed)
	}
	if now := metric("nudge_state_log_bytes"); now >= before || metric("nudge_state_log_rewrite_saved_bytes_total") != before-now {
		t.Errorf("%v bytes before, %v now", before, now)
	}
	if metric("nudge_state_log_oldest_seconds") < 3600 || metric("nudge_state_log_rewrite_failures_total") != 0 || metric("nudge_state_log_voids") != 0 {
		t.Error("the other metrics are not right")
	}
	k.rewrite(t.Context())
	if strings.Count(said.String(), "rewrote segments") != 1 {
		t.Errorf("said: %s", said)
	}
}

// Damage is reported once and counted each time; the end of the process is no failure.
func TestLogKeeperReportsDamage(t *testing.T) {
	dir := t.TempDir()
	d := smallLog(t, dir)
	defer d.Close()
	file := filepath.Join(dir, "log", "0000000002.seg")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[100] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	k, said, metric := keeperOf(t, d.Log)
	k.rewrite(t.Context())
	k.rewrite(t.Context())
	if metric("nudge_state_log_rewrite_failures_total") != 2 || strings.Count(said.String(), file) != 1 {
		t.Errorf("%v failures, said: %s", metric("nudge_state_log_rewrite_failures_total"), said)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	k.rewrite(ended)
	if metric("nudge_state_log_rewrite_failures_total") != 2 {
		t.Error("an end is counted as a failure")
	}
	if err := k.run(ended); err != nil {
		t.Error(err)
	}
}
