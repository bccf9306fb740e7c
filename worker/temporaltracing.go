package worker

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// Tracing returns an option of [Dial]. Workflows and activities that belong to a trace are spans of
// it. The trace travels in headers, which change no command, and which package codec does not
// encrypt. A nil tracer makes no spans.
func Tracing(tracer trace.Tracer) (func(*client.Options), error) {
	if tracer == nil {
		return func(*client.Options) {}, nil
	}
	i, err := newTracingInterceptor(tracer)
	if err != nil {
		return nil, err
	}
	return func(o *client.Options) { o.Interceptors = append(o.Interceptors, i) }, nil
}

func newTracingInterceptor(tracer trace.Tracer) (interceptor.Interceptor, error) {
	i, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer:              tracer,
		TextMapPropagator:   propagation.TraceContext{},
		DisableBaggage:      true,
		DisableQueryTracing: true,
		// Otherwise a message could fail a workflow.
		AllowInvalidParentSpans: true,
		SpanStarter:             startChild,
	})
	if err != nil {
		return nil, fmt.Errorf("tracing of the Temporal SDK: %w", err)
	}
	return i, nil
}

// startChild starts a span in the trace of ctx. Without a trace, the span does nothing.
func startChild(ctx context.Context, t trace.Tracer, name string, opts ...trace.SpanStartOption) trace.Span {
	if trace.SpanContextFromContext(ctx).IsValid() {
		_, span := t.Start(ctx, name, opts...)
		return mute{span}
	}
	return trace.SpanFromContext(ctx)
}

// mute is a span without the text of an error, which package codec encrypts for Temporal. It has
// the error's class.
type mute struct{ trace.Span }

func (s mute) RecordError(err error, _ ...trace.EventOption) {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		s.SetAttributes(attribute.String("error.type", app.Type()))
	}
}

func (s mute) SetStatus(code codes.Code, _ string) { s.Span.SetStatus(code, "") }
