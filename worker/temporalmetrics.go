package worker

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// temporalHelp is the help text of all metrics of the SDK, which has none of its own.
const temporalHelp = "Of the Temporal SDK: https://docs.temporal.io/references/sdk-metrics"

// TemporalMetrics returns a handler that registers the metrics of the Temporal SDK with r. Their
// names begin with temporal_.
func TemporalMetrics(r prometheus.Registerer) (client.MetricsHandler, error) {
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(r), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics of the Temporal SDK: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(temporalView))
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                provider.Meter("temporal-sdk-go"),
		UseMonotonicCounters: true,
		OnError:              func(error) {}, // The SDK then has no such metric.
	}), nil
}

// temporalView gives a metric its help text, and buckets for times in seconds to a histogram. The
// library's own buckets are for milliseconds.
func temporalView(of metric.Instrument) (metric.Stream, bool) {
	s := metric.Stream{Name: of.Name, Description: temporalHelp, Unit: of.Unit}
	if of.Kind == metric.InstrumentKindHistogram {
		s.Aggregation = metric.AggregationExplicitBucketHistogram{
			Boundaries: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}, NoMinMax: true,
		}
	}
	return s, true
}
