package queue

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceparent is the attribute that holds the trace of a request: https://www.w3.org/TR/trace-context/.
// A tracestate is left out: clients choose its text, which may have 16 KiB.
const traceparent = "traceparent"

// inject returns the attributes of a message for the trace of ctx. Without a trace, it returns nil.
func inject(ctx context.Context) map[string]types.MessageAttributeValue {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	value, ok := carrier[traceparent]
	if !ok {
		return nil
	}
	return map[string]types.MessageAttributeValue{
		traceparent: {DataType: aws.String("String"), StringValue: &value},
	}
}

// extract returns the trace of a message. It is the zero value unless the message has a valid one.
func extract(m types.Message) trace.SpanContext {
	carrier := propagation.MapCarrier{traceparent: aws.ToString(m.MessageAttributes[traceparent].StringValue)}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// traced returns ctx with a trace, if that is one.
func traced(ctx context.Context, parent trace.SpanContext) context.Context {
	if !parent.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, parent)
}
