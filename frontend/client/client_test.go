package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/client"
)

func TestRedirectURLEncodesAsEncodeURIComponentDoes(t *testing.T) {
	c := &client.Client{Server: "https://mirror.example/"}
	require.Equal(t, "https://mirror.example/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa%20b%2Bc%3Fd%3De%26f",
		c.RedirectURL("s3", "us-west-2", "https://example.com/a b+c?d=e&f", nil))
}

// newFrontEnd serves /object, accepts purges with the token "token", and leaves other requests to
// answer.
func newFrontEnd(t *testing.T, answer func(w http.ResponseWriter, self string)) *client.Client {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/object":
			_, _ = io.WriteString(w, "hello")
		case r.Method == http.MethodDelete && r.Header.Get("Authorization") == "Bearer token":
			w.WriteHeader(http.StatusNoContent)
		default:
			answer(w, s.URL)
		}
	}))
	t.Cleanup(s.Close)
	return &client.Client{Server: s.URL, Token: "token"}
}

func TestGet(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		copied bool
		reason string
	}{
		"the copy":   {`{"status":"present","url":"x"}`, true, ""},
		"the source": {`{"url":"x","msg":"Cached copy did not show up in 28s"}`, false, "Cached copy did not show up in 28s"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFrontEnd(t, func(w http.ResponseWriter, self string) {
				w.Header().Set("Location", self+"/object")
				w.WriteHeader(http.StatusFound)
				_, _ = io.WriteString(w, tc.body)
			})
			o, err := c.Get(t.Context(), "s3", "us-west-2", "https://example.com/a", nil)
			require.NoError(t, err)
			defer o.Body.Close()
			body, err := io.ReadAll(o.Body)
			require.NoError(t, err)
			require.Equal(t, "hello", string(body))
			require.EqualValues(t, 5, o.Size)
			require.Equal(t, tc.copied, o.Copied)
			require.Equal(t, tc.reason, o.Reason)
		})
	}
}

// A front end with frontend.chain redirects to itself, by a relative Location, until the wait is
// over.
func TestGetFollowsAChain(t *testing.T) {
	for name, tc := range map[string]struct {
		hops int
		err  string
	}{
		"of two":      {2, ""},
		"without end": {1000, "redirect: the front end redirects to itself without end"},
	} {
		t.Run(name, func(t *testing.T) {
			hops := 0
			c := newFrontEnd(t, func(w http.ResponseWriter, self string) {
				location, body := self+"/object", `{"status":"present","url":"x"}`
				if hops++; hops <= tc.hops {
					location, body = "/v1/redirect/s3/us-west-2/x?max_wait=1s", `{"url":"x","msg":"Cached copy is still being made, ask again"}`
				}
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
				_, _ = io.WriteString(w, body)
			})
			o, err := c.Get(t.Context(), "s3", "us-west-2", "https://example.com/a", nil)
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			defer o.Body.Close()
			require.True(t, o.Copied)
			require.Equal(t, tc.hops+1, hops)
		})
	}
}

func TestErrorsQuoteTheFrontEndsMessage(t *testing.T) {
	for body, want := range map[string]string{
		`{"msg":"Unexpected HTTP Status: 404","err":"BadHTTPStatus"}`: "404 Not Found: Unexpected HTTP Status: 404",
		`{"code":"ResourceNotFound","message":"No such region"}`:      "404 Not Found: No such region",
		`<html>`: "404 Not Found",
	} {
		c := newFrontEnd(t, func(w http.ResponseWriter, _ string) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, body)
		})
		_, err := c.Get(t.Context(), "s3", "us-west-2", "https://example.com/a?sig=secret", nil)
		require.EqualError(t, err, "redirect: "+want)
		c.Token = "wrong"
		_, err = c.Purge(t.Context(), "s3", "us-west-2", "https://example.com/a")
		require.EqualError(t, err, "purge: "+want)
	}
}

func TestErrorsHideTheURL(t *testing.T) {
	const object = "https://example.com/a?sig=secret"
	for name, server := range map[string]string{"unreachable": "http://127.0.0.1:1", "not a URL": "http://127.0.0.1:x"} {
		t.Run(name, func(t *testing.T) {
			c := &client.Client{Server: server}
			_, err := c.Get(t.Context(), "s3", "us-west-2", object, nil)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
			_, err = c.Purge(t.Context(), "s3", "us-west-2", object)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestPurge(t *testing.T) {
	c := newFrontEnd(t, nil)
	accepted, err := c.Purge(t.Context(), "s3", "all", "https://example.com/a")
	require.NoError(t, err)
	require.Empty(t, accepted)
}

func TestAcceptedPurgeIsReported(t *testing.T) {
	c := newFrontEnd(t, func(w http.ResponseWriter, _ string) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"msg":"a workflow finishes it","pools":["s3_us-west-2"]}`)
	})
	c.Token = "wrong"
	accepted, err := c.Purge(t.Context(), "s3", "all", "https://example.com/a")
	require.NoError(t, err)
	require.Equal(t, "202 Accepted: a workflow finishes it", accepted)
}
