package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStatusCommand has a front end answer with each state of its API reference.
func TestStatusCommand(t *testing.T) {
	for body, want := range map[string]string{
		`{"status":"present"}`:                                      "present",
		`{"status":"absent"}`:                                       "absent",
		`{"status":"pending"}`:                                      "pending",
		`{"status":"pending","done":5242880}`:                       "pending: 5242880 bytes",
		`{"status":"pending","done":5242880,"total":23068672}`:      "pending: 5242880 of 23068672 bytes, 22 %",
		`{"status":"error","error":"SourceStalled","retried":true}`: "error: SourceStalled, tried again by the next request",
		`{"status":"error","error":"BadHTTPStatus","httpStatus":404,"retried":false,"until":"2026-11-25T12:00:30Z"}`:                   "error: BadHTTPStatus (HTTP status 404), until 2026-11-25T12:00:30Z",
		`{"status":"pending","done":0,"workflowId":"s3_us-west-2/example.com/a/1f","attempts":2,"nextRetry":"2026-11-27T12:00:04.5Z"}`: "pending, attempt 2, next attempt at 2026-11-27T12:00:04Z\nworkflow: s3_us-west-2/example.com/a/1f",
		`{"status":"error","error":"SourceStalled","workflowId":"s3_us-west-2/example.com/a/1f","attempts":8}`:                         "error: SourceStalled, attempt 8\nworkflow: s3_us-west-2/example.com/a/1f",
		`{"status":"absent","tooSmall":true,"size":2048,"until":"2026-11-26T12:00:00Z"}`:                                               "absent: the object is smaller than the minimum size of requests (2048 bytes), until 2026-11-26T12:00:00Z",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer right" {
				http.Error(w, `{"message":"a token is required"}`, http.StatusUnauthorized)
				return
			}
			if r.URL.EscapedPath() != "/v1/status/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa%3Fb" {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write([]byte(body))
		}))
		args := []string{"status", "--server", server.URL, "--region=us-west-2", "https://example.com/a?b"}
		got, err := run(t, append(args, "--token=right")...)
		require.NoError(t, err)
		require.Equal(t, want+"\n", got)
		got, err = run(t, append(args, "--token=right", "--json")...)
		require.NoError(t, err)
		require.Contains(t, got, `"status":"`)
		_, err = run(t, args...)
		require.EqualError(t, err, "status: 401 Unauthorized: a token is required")
		server.Close()
		_, err = run(t, args...)
		require.ErrorContains(t, err, "status: front end "+server.URL)
		require.NotContains(t, err.Error(), "example.com")
	}
}

func TestStatusOfAnotherServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := run(t, "status", "--server", server.URL, "--region=us-west-2", "https://example.com/")
	require.EqualError(t, err, "status: 404 Not Found")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer other.Close()
	_, err = run(t, "status", "--server", other.URL, "--region=us-west-2", "https://example.com/")
	require.EqualError(t, err, "status: the response is not from a cloud-mirror")
}
