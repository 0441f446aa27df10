package deliver

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are this package's series, all under nudge_deliver_.
type metrics struct {
	streams      *prometheus.GaugeVec // by kind
	slowClosed   prometheus.Counter
	refused      prometheus.Counter
	published    prometheus.Counter
	popupsServed prometheus.Counter
	alertsServed prometheus.Counter
	receipts     prometheus.Counter

	expired, crowdedOut, nobody, erased prometheus.Counter // popups that went without a receipt
}

// newMetrics registers the series; without a registerer they only count.
func newMetrics(r prometheus.Registerer, pending func() float64) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "nudge_deliver_" + name, Help: help})
	}
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nudge_deliver_popups_dropped_total",
		Help: "Popups that stopped pending, or never were, without a receipt: expired, crowded_out by newer ones, nobody known to give them to, erased with their visitor.",
	}, []string{"reason"})
	m := &metrics{
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "nudge_deliver_streams_open", Help: "Open streams and waiting polls.",
		}, []string{"kind"}),
		slowClosed:   counter("slow_consumers_closed_total", "Streams closed because their connection took no bytes."),
		refused:      counter("streams_refused_total", "Streams and polls refused because too many are open."),
		published:    counter("popups_published_total", "Popups of delivered firings."),
		popupsServed: counter("popups_served_total", "Popups written into answers and streams, each time."),
		alertsServed: counter("alerts_served_total", "Alerts written into answers and streams, each time."),
		receipts:     counter("receipts_total", "Popups that a receipt took out."),
		expired:      dropped.WithLabelValues("expired"),
		crowdedOut:   dropped.WithLabelValues("crowded_out"),
		nobody:       dropped.WithLabelValues("nobody"),
		erased:       dropped.WithLabelValues("erased"),
	}
	if r == nil {
		return m, nil
	}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nudge_deliver_popups_pending", Help: "Popups that wait for a receipt or their expiry.",
	}, pending)
	var errs []error
	for _, c := range []prometheus.Collector{m.streams, m.slowClosed, m.refused, m.published, m.popupsServed, m.alertsServed, m.receipts, dropped, gauge} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

var guestKindNames = [...]string{popupStream: "popup_stream", popupPoll: "popup_poll", alertStream: "alert_stream", alertPoll: "alert_poll"}

// open is the gauge of one kind of guests.
func (m *metrics) open(k guestKind) prometheus.Gauge {
	return m.streams.WithLabelValues(guestKindNames[k])
}
