package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/proxy"
)

// TestReadinessOfAWorker has SQS or Temporal accept calls and never answer, or refuse them. The
// worker's readiness names what is missing, until it answers again.
func TestReadinessOfAWorker(t *testing.T) {
	s := startTappedStack(t, "CLOUD_MIRROR_WORKER_CHECK_EVERY=1s", "CLOUD_MIRROR_SQS_TIMEOUT=1s")
	ready := func() (int, string) {
		status, body, _ := fetch(t, "http://"+s.worker.admin+"/readyz")
		return status, string(body)
	}
	for _, way := range []proxy.Way{hang, refuse} {
		for _, d := range []struct {
			name, missing string
			proxy         faultyProxy
		}{
			{"SQS", "no message can be received from SQS since", s.sqs},
			{"Temporal", "Temporal does not answer since", s.temporal},
		} {
			t.Run(d.name+" "+string(way), func(t *testing.T) {
				eventually(t, func() bool { status, _ := ready(); return status == http.StatusOK }, "control: the worker is ready")
				d.proxy.fail(way)
				var text string
				eventually(t, func() bool {
					status, body := ready()
					text = body
					return status == http.StatusServiceUnavailable
				}, "the worker is ready although "+d.name+" "+string(way))
				require.Contains(t, text, d.missing)
				d.proxy.restore()
				eventually(t, func() bool {
					if status, _ := ready(); status == http.StatusOK {
						return true
					}
					// A receive ends with the first message. Without any, it ends after 20 s.
					_, _ = request(http.MethodGet, redirectURL(0, west, s.object(), "?max_wait=0"), "")
					return false
				}, "the worker is ready again")
				require.Positive(t, metricAt(t, "cloud_mirror_last_success_timestamp_seconds", "http://"+s.worker.admin))
			})
		}
	}
}
