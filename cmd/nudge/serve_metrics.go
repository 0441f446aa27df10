package main

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"nudge/engine"
)

// registerNode makes the node's counters metrics. The engine itself knows nothing of Prometheus.
func registerNode(r prometheus.Registerer, s *engine.NodeStats) error {
	var all []prometheus.Collector
	for _, m := range []struct {
		name, help string
		value      *atomic.Uint64
	}{
		{"nudge_engine_records_total", "Records that were applied.", &s.Records},
		{"nudge_engine_batches_total", "Batches that were logged and applied.", &s.Batches},
		{"nudge_engine_ticks_total", "Records that carry nothing but the time.", &s.Ticks},
		{"nudge_engine_firings_total", "Firings that were not suppressed.", &s.Firings},
		{"nudge_engine_suppressed_total", "Firings that unless, cooldown or limit held back.", &s.Suppressed},
		{"nudge_engine_duplicates_total", "Events that were dropped because their id was seen before.", &s.Duplicates},
		{"nudge_engine_no_company_total", "Events that company rules could not see because they have no company.", &s.NoCompany},
		{"nudge_engine_state_overflow_total", "Numbers that were dropped at the limit of what a key keeps for sum, avg, min or max.", &s.Overflows},
		{"nudge_engine_busy_total", "Requests that were refused at the queue's bound.", &s.Busy},
		{"nudge_engine_full_refused_total", "Requests that were refused because the disk is full.", &s.FullRefused},
		{"nudge_engine_checkpoints_total", "Checkpoints that were committed.", &s.Checkpoints},
		{"nudge_engine_keys_vanished_total", "Keys that are gone because nothing about them can matter to a rule any more.", &s.KeysVanished},
		{"nudge_engine_keys_evicted_total", "Records of keys that left memory for the store.", &s.KeysEvicted},
		{"nudge_engine_store_reads_total", "Records of keys that were read back from the store.", &s.StoreReads},
		{"nudge_engine_erasures_total", "Erasures whose person has left every file.", &s.Erasures},
		{"nudge_engine_log_bytes_total", "Bytes of records that were appended to the log.", &s.Bytes},
	} {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: m.name, Help: m.help}, func() float64 { return float64(m.value.Load()) }))
	}
	for _, m := range []struct {
		name, help string
		value      *atomic.Uint64
	}{
		{"nudge_engine_log_next_offset", "Offset that the next record gets.", &s.LogNext},
		{"nudge_engine_checkpoint_next_offset", "Offset from which a restart reads the log.", &s.CheckpointNext},
		{"nudge_engine_disk_full", "1 while the disk is full and no event is taken.", &s.Full},
		{"nudge_engine_record_bytes", "Memory that the records of keys take.", &s.RecordBytes},
		{"nudge_engine_keys_away", "Keys whose records are in the store alone.", &s.KeysAway},
		{"nudge_engine_dedup_ids", "Event ids that are remembered.", &s.DedupIDs},
		{"nudge_engine_erasures_open", "Erasures whose person is still in a file.", &s.ErasuresOpen},
		{"nudge_engine_rules_warming", "Rules that fire nothing yet, because the log is being read back for them.", &s.RulesWarming},
		{"nudge_engine_warmup_offset", "Offset up to which the log has been read back for warming rules; 0 when none is.", &s.WarmupOffset},
	} {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.name, Help: m.help}, func() float64 { return float64(m.value.Load()) }))
	}
	loaded := prometheus.GaugeOpts{
		Name: "nudge_engine_loaded_ratio",
		Help: "Which part of the checkpoint that was restored is in memory. Below 1, after a restart, what is met for the first time is read from the store.",
	}
	all = append(all, prometheus.NewGaugeFunc(loaded, s.Loaded))
	waited := prometheus.CounterOpts{Name: "nudge_engine_store_wait_seconds_total", Help: "Time that shards waited for records from the store."}
	all = append(all, prometheus.NewCounterFunc(waited, func() float64 { return float64(s.StoreWaitNanos.Load()) / 1e9 }))
	all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nudge_engine_dedup_window_seconds",
		Help: "Age of the oldest event id that is remembered: an event that is sent again within that time is recognised. 24 hours at most, less where more ids come than --dedup-events.",
	}, func() float64 { return float64(s.DedupMillis.Load()) / 1000 }))
	var errs []error
	for _, c := range all {
		errs = append(errs, r.Register(c))
	}
	return errors.Join(errs...)
}
