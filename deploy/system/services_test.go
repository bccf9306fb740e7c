package system_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOwnServersAreNoSources checks servers whose addresses come from the environment of the
// process, and a listener with a name. A wait of 0 redirects to an allowed source at once.
func TestOwnServersAreNoSources(t *testing.T) {
	const temporal, sqs, traces = "127.0.0.1:7234", "127.0.0.1:9325", "127.0.0.1:4318"
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+traces)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off") // Nothing listens there.
	t.Setenv("AWS_ENDPOINT_URL_SQS", "http://"+sqs)
	cfg := load(t, "CLOUD_MIRROR_SOURCE_ENSURE_SSL=false", "CLOUD_MIRROR_SOURCE_ALLOWED=http://127.0.0.1:*/",
		"CLOUD_MIRROR_WORKER_ADMIN_LISTEN=localhost:8084")
	cfg.SQS.Endpoint = ""
	for _, target := range []string{temporal, "dns:///" + temporal, "dns:" + temporal, "passthrough:///" + temporal} {
		t.Setenv("TEMPORAL_ADDRESS", target)
		f := startFrontend(t, cfg)
		for host, status := range map[string]int{
			temporal: http.StatusForbidden, sqs: http.StatusForbidden, traces: http.StatusForbidden, "127.0.0.1:8084": http.StatusForbidden,
			"127.0.0.1:7235": http.StatusFound, // The control.
		} {
			got, body := get(t, "http://"+f.listen+"/v1/redirect/s3/us-west-2/"+url.QueryEscape("http://"+host+"/a")+"?max_wait=0")
			require.Equal(t, status, got, "%s with Temporal at %s: %s", host, target, body)
			if status == http.StatusForbidden {
				require.Contains(t, body, "leads to a server of this mirror", host)
			}
		}
	}
}
