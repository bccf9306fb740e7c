package conns

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// limit is the reason for a refused or closed connection.
type limit string

const (
	limitAll    limit = "all"    // Max
	limitClient limit = "client" // MaxPerClient
	closedSlow  limit = "slow"   // Longest
)

// metrics has no label that holds a client's input.
type metrics struct {
	open    prometheus.Gauge
	refused map[limit]prometheus.Counter
	closed  map[limit]prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	f := promauto.With(r)
	refused := f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_refused_connections_total",
		Help: "Clients' connections refused, by limit: of all connections, or of those of one client.",
	}, []string{"limit"})
	closed := f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_closed_connections_total",
		Help: "Clients' connections closed, by limit: idle ones in favour of new ones (all, client), or slow ones.",
	}, []string{"limit"})
	m := metrics{
		open: f.NewGauge(prometheus.GaugeOpts{
			Name: "cloud_mirror_open_connections",
			Help: "Open connections of clients.",
		}),
		refused: map[limit]prometheus.Counter{},
		closed:  map[limit]prometheus.Counter{},
	}
	for _, l := range []limit{limitAll, limitClient} {
		m.refused[l] = refused.WithLabelValues(string(l))
	}
	for _, l := range []limit{limitAll, limitClient, closedSlow} {
		m.closed[l] = closed.WithLabelValues(string(l))
	}
	return m
}
