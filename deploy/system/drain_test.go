package system_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFrontEndDrains tells a front end to stop. It is not ready, and serves until the drain is over.
func TestFrontEndDrains(t *testing.T) {
	for name, tc := range map[string]struct {
		drain  string
		serves bool
	}{
		"two seconds": {"2s", true},
		"none":        {"0s", false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), startLimit)
			defer stop()
			f := run(ctx, load(t, "CLOUD_MIRROR_FRONTEND_DRAIN="+tc.drain))
			<-f.started
			status := func(address, path string) int {
				resp, err := http.Get("http://" + address + path)
				if err != nil {
					return 0
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			require.Equal(t, http.StatusOK, status(f.admin, "/readyz"))
			told := time.Now()
			stop()
			served := false
			for ended := false; !ended; {
				// In this order: a front end that serves after it has said that it is not ready.
				if status(f.admin, "/readyz") == http.StatusServiceUnavailable && status(f.listen, "/v1/ping") == http.StatusOK {
					served = true
				}
				select {
				case err := <-f.ended:
					require.NoError(t, err)
					ended = true
				case <-time.After(10 * time.Millisecond):
				}
			}
			require.Equal(t, tc.serves, served)
			if tc.serves {
				require.GreaterOrEqual(t, time.Since(told), 2*time.Second)
			}
			require.Zero(t, status(f.listen, "/v1/ping"))
		})
	}
}
