package origin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestRequestsAndBytesAreObserved follows a redirect, asks for a range and by HEAD, and asks a server
// that is gone.
func TestRequestsAndBytesAreObserved(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/object", http.StatusFound)
		case r.Header.Get("Range") != "":
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Content-Range", "bytes 2-4/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "234")
		default:
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Accept-Ranges", "bytes")
			_, _ = io.WriteString(w, "0123456789")
		}
	}))
	var seen []string
	var bytes atomic.Int64
	c := newClient(t, func(cfg *origin.Config) {
		cfg.OnRequest = func(operation string, took time.Duration, status int, err error) {
			require.Positive(t, took)
			require.Equal(t, err != nil, status == 0)
			seen = append(seen, operation+" "+strconv.Itoa(status))
		}
		cfg.OnFetched = func(n int) { bytes.Add(int64(n)) }
	})
	read := func(b *origin.Body, err error) {
		t.Helper()
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, b)
		require.NoError(t, err)
		require.NoError(t, b.Close())
	}
	first, err := c.First(t.Context(), server.URL+"/moved")
	read(first, err)
	require.EqualValues(t, 10, bytes.Load())
	read(c.GetRange(t.Context(), server.URL+"/object", first.Meta(), 2, 3))
	require.EqualValues(t, 13, bytes.Load())
	_, err = c.Head(t.Context(), server.URL+"/object")
	require.NoError(t, err)
	server.Close()
	_, err = c.Head(t.Context(), server.URL+"/object")
	require.Error(t, err)
	require.Equal(t, []string{"GET 302", "GET 200", "range 206", "HEAD 200", "HEAD 0"}, seen)
}
