package tracing

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

// scope is the name of our instrumentation.
const scope = "github.com/cloud-mirror/cloud-mirror"

// flushTimeout bounds the last export of a stopping process.
const flushTimeout = 5 * time.Second

// Tracing makes and sends the spans of a process. It is safe for concurrent use.
type Tracing struct {
	provider *trace.TracerProvider // Nil is off.
	tracer   api.Tracer
}

// Open starts tracing if the OTEL_* variables configure it. service is the service's name unless
// OTEL_SERVICE_NAME is set. It does no I/O: spans are sent in the background, and log receives failures.
// It makes log the error handler of OpenTelemetry, for the whole process.
//
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func Open(ctx context.Context, service, version string, log zerolog.Logger) (*Tracing, error) {
	on, err := wanted()
	if !on || err != nil {
		return &Tracing{}, err
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("traces not sent") }))
	t := &Tracing{provider: trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))}
	t.tracer = t.provider.Tracer(scope)
	return t, nil
}

// wanted reports whether the environment switches traces on.
func wanted() (bool, error) {
	switch exporter := os.Getenv("OTEL_TRACES_EXPORTER"); {
	case strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true"), exporter == "none":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q, want otlp or none", exporter)
	}
	return endpoint() != "", nil
}

func endpoint() string {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

// Address returns the host and port of the receiver, which no source may be. It is empty if traces are
// off.
func (t *Tracing) Address() string {
	if t.tracer == nil {
		return ""
	}
	u, err := url.Parse(endpoint())
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := "443"
	if u.Scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}

func newExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	switch protocol {
	case "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, want http/protobuf or grpc", protocol)
	}
}

// Tracer returns the tracer of the process, or nil if traces are off.
func (t *Tracing) Tracer() api.Tracer { return t.tracer }

// Close sends the remaining spans, for at most 5 s.
func (t *Tracing) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// traced reports whether a call belongs to a trace.
func (t *Tracing) traced(ctx context.Context) bool {
	return t.tracer != nil && api.SpanContextFromContext(ctx).IsValid()
}
