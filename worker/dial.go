package worker

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// Dial connects to Temporal, as configured by TEMPORAL_* variables or temporal.toml
// (https://docs.temporal.io/references/client-environment-configuration). It also returns the
// namespace. The client encrypts payloads and failures with payloads, if that encrypts. The caller
// closes the client. edit changes the options, see [Tracing]. If metrics is set, the client and its
// workers report to it.
func Dial(
	ctx context.Context, payloads *codec.Codec, metrics client.MetricsHandler, log zerolog.Logger, edit ...func(*client.Options),
) (temporal client.Client, namespace string, err error) {
	opts, err := dialOptions()
	if err != nil {
		return nil, "", err
	}
	opts.DataConverter, opts.FailureConverter = payloads.DataConverter(), payloads.FailureConverter()
	opts.Logger, opts.MetricsHandler = temporalLogger(log), metrics
	opts.ContextPropagators = []workflow.ContextPropagator{requestIDs{opts.DataConverter}}
	opts.Namespace = cmp.Or(opts.Namespace, client.DefaultNamespace)
	opts.ConnectionOptions.DialOptions = append(opts.ConnectionOptions.DialOptions,
		grpc.WithChainUnaryInterceptor(patientHeartbeat), reconnectSoon())
	for _, f := range edit {
		f(&opts)
	}
	temporal, err = client.DialContext(ctx, opts)
	if err != nil {
		return nil, "", fmt.Errorf("connect to Temporal at %s (TEMPORAL_ADDRESS): %w", opts.HostPort, err)
	}
	return temporal, opts.Namespace, nil
}

// reconnectSoon tries a lost connection again every second. By default the pauses grow to 10 s, and
// a copy could not heartbeat in time after Temporal was away for some seconds.
func reconnectSoon() grpc.DialOption {
	pauses := backoff.DefaultConfig
	pauses.BaseDelay, pauses.MaxDelay = 200*time.Millisecond, time.Second
	return grpc.WithConnectParams(grpc.ConnectParams{Backoff: pauses, MinConnectTimeout: 10 * time.Second})
}

func dialOptions() (client.Options, error) {
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return client.Options{}, fmt.Errorf("configuration of Temporal: %w", err)
	}
	opts.HostPort = cmp.Or(opts.HostPort, client.DefaultHostPort)
	return opts, nil
}
