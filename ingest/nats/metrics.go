package nats

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are this package's series, all under nudge_nats_. Both ends share them.
type Metrics struct {
	sessions  *prometheus.CounterVec // by end
	connected *prometheus.GaugeVec   // by end

	messages, accepted, redelivered, missing, filled, busy, anew *prometheus.CounterVec // by source

	rejected *prometheus.CounterVec // by source and code
	pending  *prometheus.GaugeVec   // by source

	published, known, unconfirmed, tooLarge, gaps prometheus.Counter

	behind prometheus.Gauge
}

// NewMetrics registers the series; without a registerer they only count.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	var all []prometheus.Collector
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nudge_nats_" + name, Help: help}, labels)
		all = append(all, c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "nudge_nats_" + name, Help: help}, labels)
		all = append(all, g)
		return g
	}
	one := func(name, help string) prometheus.Counter { return vec(name, help).WithLabelValues() }
	m := &Metrics{
		sessions:  vec("sessions_total", "Connections that were made.", "end"),
		connected: gauge("connected", "1 while there is a connection.", "end"),

		messages:    vec("messages_total", "Messages of a stream that were read.", "source"),
		accepted:    vec("events_accepted_total", "Events that are durable here.", "source"),
		redelivered: vec("messages_redelivered_total", "Messages that came again after they were durable here, and were passed over.", "source"),
		missing:     vec("messages_missing_total", "Messages that the stream did not have any more when their turn came: removed by its limits, purged, deleted or damaged.", "source"),
		filled:      vec("messages_filled_total", "Messages that the consumer left out and the stream gave when asked.", "source"),
		busy:        vec("busy_total", "Requests that the engine did not take at once.", "source"),
		anew:        vec("streams_anew_total", "Streams that were found made anew, or with their end lost.", "source"),
		rejected:    vec("events_rejected_total", "Events, or whole messages, that could not be taken, by the code of their error.", "source", "code"),
		pending:     gauge("pending_messages", "Messages of a stream that wait to be read.", "source"),

		published:   one("firings_published_total", "Firings that the broker has confirmed."),
		known:       one("firings_known_total", "Of these, firings that the broker had already: they went out again after a fault."),
		unconfirmed: one("firings_unconfirmed_total", "Firings that went to whoever was listening, since no stream captures their subject."),
		tooLarge:    one("firings_too_large_total", "Firings that the broker does not take for their size. They stay in the feed."),
		gaps:        one("feed_gaps_total", "Times that the sink was so far behind that the feed had dropped firings."),
		behind:      gauge("firings_behind_offsets", "Offsets of the log between the newest firing and the newest one published.").WithLabelValues(),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// endMetrics are those of one end's connection.
type endMetrics struct {
	sessions  prometheus.Counter
	connected prometheus.Gauge
}

func (m *Metrics) end(name string) *endMetrics {
	return &endMetrics{sessions: m.sessions.WithLabelValues(name), connected: m.connected.WithLabelValues(name)}
}

// sourceMetrics are those of one source.
type sourceMetrics struct {
	messages, accepted, redelivered, missing, filled, busy, anew prometheus.Counter

	rejected *prometheus.CounterVec // by code
	pending  prometheus.Gauge
}

func (m *Metrics) source(name string) sourceMetrics {
	return sourceMetrics{
		messages: m.messages.WithLabelValues(name), accepted: m.accepted.WithLabelValues(name), redelivered: m.redelivered.WithLabelValues(name),
		missing: m.missing.WithLabelValues(name), filled: m.filled.WithLabelValues(name), busy: m.busy.WithLabelValues(name),
		anew: m.anew.WithLabelValues(name), rejected: m.rejected.MustCurryWith(prometheus.Labels{"source": name}), pending: m.pending.WithLabelValues(name),
	}
}
