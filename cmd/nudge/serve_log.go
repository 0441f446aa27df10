package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nudge/state"
)

// rewriteEvery is how often the log is looked at for sealed segments that were never rewritten.
const rewriteEvery = time.Minute

// logKeeper rewrites the log's sealed segments, which makes them smaller, beside the traffic. What is too old or too much the engine trims, with its
// checkpoints.
type logKeeper struct {
	log    *state.Log
	logger *slog.Logger

	rewritten, saved, failed atomic.Int64
	said                     string // the last problem that was reported; the same one is not reported again
}

// run works until ctx ends. A segment that cannot be rewritten stays as it is: nothing is lost by it, and it is tried again.
func (k *logKeeper) run(ctx context.Context) error {
	ticker := time.NewTicker(rewriteEvery)
	defer ticker.Stop()
	for {
		k.rewrite(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (k *logKeeper) rewrite(ctx context.Context) {
	r, err := k.log.Rewrite(ctx, state.RewriteOptions{})
	k.rewritten.Add(int64(r.Segments))
	k.saved.Add(r.Before - r.After)
	switch {
	case err == nil:
		k.said = ""
	case errors.Is(err, context.Canceled):
	default:
		k.failed.Add(1)
		if k.said != err.Error() {
			k.said = err.Error()
			k.logger.Error("a segment of the log was not rewritten; it stays as it is", "error", err)
		}
	}
	if r.Segments > 0 {
		k.logger.Info("rewrote segments of the log", "segments", r.Segments, "bytes", r.Before, "now", r.After)
	}
}

// register makes what the log holds, and what was rewritten, metrics.
func (k *logKeeper) register(r prometheus.Registerer) error {
	var errs []error
	for _, m := range []struct {
		name, help string
		value      func(s state.LogStats) float64
	}{
		{"nudge_state_log_bytes", "Bytes that the log holds.", func(s state.LogStats) float64 { return float64(s.Bytes) }},
		{"nudge_state_log_segments", "Segments that the log consists of.", func(s state.LogStats) float64 { return float64(s.Segments) }},
		{"nudge_state_log_rewritten_segments", "Segments of the log that were rewritten, and so are as small as they get.", func(s state.LogStats) float64 { return float64(s.Rewritten) }},
		{"nudge_state_log_oldest_seconds", "Age of the oldest record that the log holds, 0 if it holds none.", oldestSeconds},
		{"nudge_state_log_voids", "Records of the log that were made voids by hand.", func(s state.LogStats) float64 { return float64(s.Voids) }},
	} {
		opts := prometheus.GaugeOpts{Name: m.name, Help: m.help}
		errs = append(errs, r.Register(prometheus.NewGaugeFunc(opts, func() float64 { return m.value(k.log.Stats()) })))
	}
	for _, m := range []struct {
		name, help string
		value      *atomic.Int64
	}{
		{"nudge_state_log_rewrites_total", "Segments of the log that this process rewrote.", &k.rewritten},
		{"nudge_state_log_rewrite_saved_bytes_total", "Bytes by which they became smaller.", &k.saved},
		{"nudge_state_log_rewrite_failures_total", "Times that a segment could not be rewritten.", &k.failed},
	} {
		opts := prometheus.CounterOpts{Name: m.name, Help: m.help}
		errs = append(errs, r.Register(prometheus.NewCounterFunc(opts, func() float64 { return float64(m.value.Load()) })))
	}
	return errors.Join(errs...)
}

func oldestSeconds(s state.LogStats) float64 {
	if s.Since == 0 {
		return 0
	}
	return time.Since(time.UnixMilli(int64(s.Since))).Seconds()
}
