package queue

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceAttributes returns the names of the attributes that hold the trace of a request:
// https://www.w3.org/TR/trace-context/
func traceAttributes() []string { return propagation.TraceContext{}.Fields() }

// inject returns the attributes of a message for the trace of ctx. Without a trace, it returns nil.
func inject(ctx context.Context) map[string]types.MessageAttributeValue {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	var all map[string]types.MessageAttributeValue
	for name, value := range carrier {
		if all == nil {
			all = map[string]types.MessageAttributeValue{}
		}
		all[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
	return all
}

// extract returns the trace of a message. It is the zero value unless the message has a valid one.
func extract(m types.Message) trace.SpanContext {
	carrier := propagation.MapCarrier{}
	for name, a := range m.MessageAttributes {
		carrier[name] = aws.ToString(a.StringValue)
	}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// traced returns ctx with a trace, if that is one.
func traced(ctx context.Context, parent trace.SpanContext) context.Context {
	if !parent.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, parent)
}
