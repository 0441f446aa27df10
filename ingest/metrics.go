package ingest

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nudge"
)

// metrics are this package's series, all under nudge_ingest_.
type metrics struct {
	requests *prometheus.CounterVec   // by route and status
	seconds  *prometheus.HistogramVec // by route
	accepted *prometheus.CounterVec   // by form
	native   prometheus.Counter       // of accepted, as segment is
	segment  prometheus.Counter
	rejected *prometheus.CounterVec // by code
	bytes    prometheus.Counter
	panics   prometheus.Counter

	notAccepted prometheus.Counter
	overload    prometheus.Counter

	taken sync.Map // route → *routeSeries; found by their labels they take as long as the rest of counting an answer
}

// routeSeries are the series of a route's answers with status 200.
type routeSeries struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// newMetrics registers the series; without a registerer they only count.
func newMetrics(r prometheus.Registerer, inside func() float64, names *nudge.Names) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nudge_ingest_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nudge_ingest_request_seconds", Help: "Time from a request's last byte to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2.5, 14), // 50 µs to 7.5 s
		}, []string{"route"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nudge_ingest_events_accepted_total", Help: "Events that were answered 2xx, by the form they were sent in.",
		}, []string{"form"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nudge_ingest_events_rejected_total", Help: "Events that were well formed but wrong, by the code of their error.",
		}, []string{"code"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nudge_ingest_body_bytes_total", Help: "Bytes of bodies that were decoded, unpacked.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nudge_ingest_panics_total", Help: "Requests during which the server found a bug of its own.",
		}),
		notAccepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nudge_ingest_accept_failures_total", Help: "Times that the system had no room for another connection.",
		}),
		overload: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "nudge_ingest_overload_total", Help: "Requests that were refused because those before them waited too long for their answers.",
		}),
	}
	m.native, m.segment = m.accepted.WithLabelValues("native"), m.accepted.WithLabelValues("segment")
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.accepted, m.rejected, m.bytes, m.panics, m.notAccepted, m.overload} {
		errs = append(errs, r.Register(c))
	}
	errs = append(errs, r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nudge_ingest_requests_inside", Help: "Requests with events that have come and are not answered.",
	}, inside)), r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nudge_ingest_names", Help: "Names of fields and event types that are known by a number.",
	}, func() float64 { return float64(names.Len()) })), r.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "nudge_ingest_names_spelled_total", Help: "How often an event or the log had a name for which there was no number left.",
	}, func() float64 { return float64(names.Other()) })))
	return m, errors.Join(errs...)
}

// answered counts one answer.
func (m *metrics) answered(route string, status int, began time.Time) {
	took := time.Since(began).Seconds()
	if status != 200 {
		m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
		m.seconds.WithLabelValues(route).Observe(took)
		return
	}
	of, ok := m.taken.Load(route)
	if !ok {
		of, _ = m.taken.LoadOrStore(route, &routeSeries{m.requests.WithLabelValues(route, "200"), m.seconds.WithLabelValues(route)})
	}
	s := of.(*routeSeries)
	s.requests.Inc()
	s.seconds.Observe(took)
}
