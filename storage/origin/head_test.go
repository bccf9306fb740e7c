package origin_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestHeadDescribesTheObject follows a redirect by HEAD, without cookies or a Referer.
func TestHeadDescribesTheObject(t *testing.T) {
	var seen []*http.Request
	object := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		h := w.Header()
		h.Set("ETag", `"v1"`)
		h.Set("Last-Modified", "Sun, 22 Nov 2026 09:56:11 GMT")
		h.Set("Content-Length", "42")
		h.Set("Content-Encoding", "gzip")
	})
	first := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		redirectTo(http.StatusSeeOther, object.URL+"/object?"+secret)(w, r)
	})
	meta, err := newClient(t, nil).Head(testContext(t), first.URL+"/start?"+secret)
	require.NoError(t, err)
	require.EqualValues(t, 42, meta.Size)
	require.Equal(t, `"v1"`, meta.ETag)
	require.Equal(t, "Sun, 22 Nov 2026 09:56:11 GMT", meta.LastModified)
	require.Equal(t, "gzip", meta.ContentEncoding)
	require.Len(t, seen, 2)
	for _, r := range seen {
		require.Equal(t, http.MethodHead, r.Method)
		require.Equal(t, http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "User-Agent": {"cloud-mirror/1"}}, r.Header)
	}
}

// TestHeadIsGuarded has the policy refuse a URL, and a hop. Neither source gets a request. The
// control is an allowed URL.
func TestHeadIsGuarded(t *testing.T) {
	object, other := newSource(t, serveContent), newSource(t, serveContent)
	first := newSource(t, redirectTo(http.StatusFound, other.URL+"/?"+secret))
	client := newClient(t, func(c *origin.Config) { c.Allowed = []string{object.URL + "/", first.URL + "/"} })
	_, err := client.Head(testContext(t), object.URL+"/")
	require.NoError(t, err)
	_, err = client.Head(testContext(t), first.URL+"/")
	requireFailure(t, err, origin.ClassInvalidURL, true)
	_, err = client.Head(testContext(t), other.URL+"/?"+secret)
	requireFailure(t, err, origin.ClassInvalidURL, true)
	require.EqualValues(t, 1, object.hits.Load())
	require.EqualValues(t, 1, first.hits.Load())
	require.Zero(t, other.hits.Load())
}

// TestStatusOfHeadIsNotAboutTheObject includes those that a GET would pass on to clients.
func TestStatusOfHeadIsNotAboutTheObject(t *testing.T) {
	for _, status := range []int{204, 304, 400, 401, 403, 404, 405, 410, 500, 503} {
		s := newSource(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := newClient(t, nil).Head(testContext(t), s.URL+"/?"+secret)
		failure := requireFailure(t, err, origin.ClassBadHTTPStatus, status >= 400 && status < 500)
		require.Equal(t, status, failure.Status)
		require.False(t, failure.AboutObject)
	}
}

// TestHeadsHaveTheirOwnConnections has HEADs take all of theirs. A first request still gets one,
// and a further HEAD waits in vain.
func TestHeadsHaveTheirOwnConnections(t *testing.T) {
	free := make(chan struct{})
	s := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			<-free
		}
		serveContent(w, r)
	})
	client := newClient(t, func(c *origin.Config) { c.MaxConnsPerHost = 1 })
	done := make(chan error, 1)
	go func() {
		_, err := client.Head(context.WithoutCancel(testContext(t)), s.URL+"/")
		done <- err
	}()
	require.Eventually(t, func() bool { return s.hits.Load() == 1 }, 5*time.Second, time.Millisecond)
	body, err := client.First(testContext(t), s.URL+"/")
	require.NoError(t, err)
	require.NoError(t, body.Close())
	_, err = client.Head(testContext(t), s.URL+"/")
	requireFailure(t, err, origin.ClassBusy, false)
	close(free)
	require.NoError(t, <-done)
}
