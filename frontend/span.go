package frontend

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

// traceparent names the trace of a client: https://www.w3.org/TR/trace-context/.
const traceparent = "traceparent"

// spans makes the spans of requests, which continue the traces of their clients. A nil tracer makes
// none. Hits have none.
type spans struct{ tracer trace.Tracer }

// start begins the span of a request that has an id. The caller ends it.
func (s spans) start(r *http.Request, route string, begun time.Time) (*http.Request, trace.Span) {
	if s.tracer == nil {
		return r, noop.Span{}
	}
	// Not its tracestate, a text of the client's choice that would reach the worker's calls.
	carrier := propagation.MapCarrier{traceparent: r.Header.Get(traceparent)}
	ctx := propagation.TraceContext{}.Extract(r.Context(), carrier)
	ctx, span := s.tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(begun),
		trace.WithAttributes(
			attribute.String("http.request.method", r.Method),
			attribute.String("http.route", route),
			attribute.String(requestid.Field, requestid.From(ctx)),
		))
	return r.WithContext(ctx), span
}

// describe adds the outcome of a redirect to its span.
func describe(span trace.Span, c *redirectRequest, d decision) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.Int("http.response.status_code", d.Status),
		attribute.String("cloud_mirror.reason", string(d.Reason)),
		attribute.String("cloud_mirror.pool", c.kind.Pool.ID()),
		attribute.String("cloud_mirror.object", string(c.appendCopy(nil))),
	)
}
