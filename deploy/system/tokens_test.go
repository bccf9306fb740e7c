package system_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	oldToken = "old-0123456789-0123456789-0123456789"
	newToken = "new-0123456789-0123456789-0123456789"
)

// TestTokensOfARunningFrontEnd guesses at full speed on real connections, and rotates a token.
func TestTokensOfARunningFrontEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte("old purge "+oldToken+"\n"), 0o600))
	f := startFrontend(t, load(t, "CLOUD_MIRROR_FRONTEND_TOKENS_FILE="+path))
	purge := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete,
			"http://"+f.listen+"/v1/purge/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	const right, wrong = 503, 401 // A purge fails without redis.
	require.Equal(t, right, purge(oldToken))
	statuses := map[int]int{}
	for i := range 2000 {
		statuses[purge("guess-"+strconv.Itoa(i))]++
	}
	require.Equal(t, map[int]int{wrong: 10, 429: 1990}, statuses)
	require.Equal(t, "10", f.metric(t, `cloud_mirror_refused_tokens_total{result="wrong"}`))
	require.Equal(t, "1990", f.metric(t, `cloud_mirror_refused_tokens_total{result="limited"}`))
	require.Equal(t, "0", f.metric(t, `cloud_mirror_refused_tokens_total{result="scope"}`))
	require.Equal(t, "0", f.metric(t, "cloud_mirror_tokens_file_broken"))
	require.Equal(t, 1, f.logged("wrong token"))
	require.Equal(t, right, purge(oldToken), "a right token is limited")

	next := path + ".new"
	require.NoError(t, os.WriteFile(next, []byte("new purge "+newToken+"\n"), 0o600))
	require.NoError(t, os.Rename(next, path))
	require.Eventually(t, func() bool { return purge(newToken) == right }, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, 429, purge(oldToken))
	require.Equal(t, 1, f.logged("tokens reloaded"))
}
