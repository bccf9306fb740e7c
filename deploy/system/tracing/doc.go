// Package tracing sends OpenTelemetry traces over OTLP. One trace has the request at the front end,
// its message, its workflow, and each call of the activities to the source and to S3.
//
// # Guarantees
//
//   - Only the standard OTEL_* variables configure it. Nothing is sent, and no span is made, unless
//     OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set.
//   - A hit makes no span, and does no work for traces.
//   - No span holds the query of a URL, a header, or the text of an error of a call. A source gets no
//     header of a trace.
//   - A call without a trace makes no span: a receive from SQS, a sweep, the check of a copy.
//
// # Decisions
//
// 2026-11-27: a step of the AWS SDK makes the spans of S3 and SQS. The module otelaws was rejected: it
// is no longer supported, requires the SDKs of DynamoDB, SNS and Route 53, and copies the text of an
// error, with its URL, into the span. The SDK's own tracing makes eight spans of each call.
//
// 2026-11-27: each attempt of the AWS SDK is a span, as it is a call in package calls.
//
// 2026-11-27: a span of a source has the host only. A path can be a secret as well, and the workflow
// names the object.
package tracing
