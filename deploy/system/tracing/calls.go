package tracing

import (
	"context"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	api "go.opentelemetry.io/otel/trace"
)

// AWS returns an option for clients of S3 and SQS. Each attempt of a call in a trace is a span, until
// the response is decoded or its body begins.
func (t *Tracing) AWS() func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		if t.tracer == nil {
			return nil
		}
		// Presigning clears this step, so that it makes no span.
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CloudMirrorTracing", t.deserialize), middleware.Before)
	}
}

func (t *Tracing) deserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if !t.traced(ctx) {
		return next.HandleDeserialize(ctx, in)
	}
	service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
	ctx, span := t.tracer.Start(ctx, service+"."+operation, api.WithSpanKind(api.SpanKindClient), api.WithAttributes(
		attribute.String("rpc.system.name", "aws-api"),
		attribute.String("rpc.method", service+"/"+operation),
		attribute.String("aws.region", awsmiddleware.GetRegion(ctx)),
	))
	defer span.End()
	out, metadata, err := next.HandleDeserialize(ctx, in)
	status := 0
	if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
		status = response.StatusCode
	}
	if id, ok := awsmiddleware.GetRequestIDMetadata(metadata); ok {
		span.SetAttributes(attribute.String("aws.request_id", id))
	}
	finish(span, status)
	return out, metadata, err
}

// Source makes a span of a request to a source that has ended. It has the form of
// origin.Config.Trace.
func (t *Tracing) Source(ctx context.Context, operation, host string, start time.Time, status int) {
	if !t.traced(ctx) {
		return
	}
	_, span := t.tracer.Start(ctx, "source "+operation, api.WithSpanKind(api.SpanKindClient), api.WithTimestamp(start),
		api.WithAttributes(attribute.String("server.address", host)))
	finish(span, status)
	span.End()
}

// finish describes the outcome of a call. Status 0 is no response.
func finish(span api.Span, status int) {
	if status == 0 {
		span.SetStatus(codes.Error, "no response")
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
}
