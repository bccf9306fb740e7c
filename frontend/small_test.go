package frontend_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestRequestsWithoutAMinimumCopyASmallObject sends them for an object that was too small for a
// mirror request.
func TestRequestsWithoutAMinimumCopyASmallObject(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *fixture){
		"a redirect": func(t *testing.T, f *fixture) {
			t.Helper()
			require.Equal(t, source, f.ask(t, "GET", path("?max_wait=0")).header.Get("Location"))
		},
		"a list": func(t *testing.T, f *fixture) {
			t.Helper()
			_, answers := f.warm(t, `{"url":"`+source+`","regions":["us-west-2"]}`, token)
			require.Equal(t, "pending", answers["1 "+source+" us-west-2"].Status)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.put(t, cachetest.Rules().TooSmall(time.Now(), 500))
			ask(t, f)
			require.Equal(t, cache.Pending, f.state(t))
			require.Len(t, f.queue.sent, 1)
			require.Zero(t, f.queue.sent[0].MinSize)
		})
	}
}

// TestStatusOfASmallObject is no error: the next redirect copies the object.
func TestStatusOfASmallObject(t *testing.T) {
	f := newFixture(t)
	small := cachetest.Rules().TooSmall(time.Now(), 500)
	f.put(t, small)
	status := func() map[string]any {
		a := f.ask(t, "GET", "/v1/status/s3/us-west-2/"+url.QueryEscape(source))
		require.Equal(t, 200, a.status)
		return a.body
	}
	until := small.Deadline.UTC().Truncate(time.Second).Format(time.RFC3339)
	require.Equal(t, map[string]any{"status": "absent", "tooSmall": true, "size": 500.0, "until": until}, status())
	require.Empty(t, f.queue.sent)
	require.Equal(t, cache.Error, f.state(t), "the entry stays")

	f.put(t, cachetest.Rules().TooSmall(time.Now(), 0))
	require.Contains(t, status(), "size", "of an empty object")
	f.store(t, "0")
	require.Equal(t, map[string]any{"status": "present"}, status())
}
