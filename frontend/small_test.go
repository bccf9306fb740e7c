package frontend_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
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
	require.Equal(t, map[string]any{"status": "absent", "tooSmall": true, "size": 500.0, "until": until, "workflowId": workflowOf(source)}, status())
	require.Empty(t, f.queue.sent)
	require.Equal(t, cache.Error, f.state(t), "the entry stays")

	f.put(t, cachetest.Rules().TooSmall(time.Now(), 0))
	require.Contains(t, status(), "size", "of an empty object")
	f.store(t, "0")
	require.Equal(t, map[string]any{"status": "present", "workflowId": workflowOf(source)}, status())
}

const tooSmall = "Object is smaller than the minimum size: 999 bytes"

// TestMinimumOfRedirects has a front end with a minimum of 1,000 bytes.
func TestMinimumOfRedirects(t *testing.T) {
	for size, copied := range map[int64]bool{999: false, 1000: true} {
		f := newFixture(t, func(o *options) { o.MinSize = 1000 })
		f.put(t, cachetest.Rules().TooSmall(time.Now(), size))
		for range 2 { // The second request may be served from memory.
			a := f.ask(t, "GET", path("?max_wait=0"))
			require.Equal(t, 302, a.status)
			require.Equal(t, source, a.location)
			if !copied {
				require.Equal(t, map[string]any{"url": source, "msg": tooSmall}, a.body)
				require.Equal(t, `cloud-mirror; fwd=miss; detail="too small"`, a.header.Get("Cache-Status"))
			}
		}
		if !copied {
			require.Empty(t, f.queue.sent)
			require.Zero(t, f.bucket.Heads)
			continue
		}
		require.Len(t, f.queue.sent, 1, "control: the object has the minimum")
		require.EqualValues(t, 1000, f.queue.sent[0].MinSize)
	}
}

// TestMinimumIsLearned has a worker find that an object is too small, while its client waits.
func TestMinimumIsLearned(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MinSize, o.MaxWait = 1000, time.Minute })
	f.queue.copy = func(queue.Request) {
		_ = f.cache.Put(context.Background(), key(), 0, cachetest.Rules().TooSmall(time.Now(), 999))
	}
	start := time.Now()
	for range 2 {
		a := f.ask(t, "GET", path(""))
		require.Equal(t, source, a.location)
		require.Equal(t, tooSmall, a.body["msg"])
	}
	require.Less(t, time.Since(start), 30*time.Second, "the client waits in vain")
	require.Len(t, f.queue.sent, 1)
}

// TestMinimumOfLists answers for an object that was too small, for one that is large enough, and for
// a new one.
func TestMinimumOfLists(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MinSize = 1000 })
	small, large := "https://example.com/small", "https://example.com/large"
	for object, size := range map[string]int64{small: 999, large: 1000} {
		require.NoError(t, f.cache.Put(t.Context(), cacheKey(object), cache.AnyGeneration, cachetest.Rules().TooSmall(time.Now(), size)))
	}
	_, answers := f.warm(t, `{"urls":["`+small+`","`+large+`","https://example.com/new"],"regions":["us-west-2"]}`, token)
	refused := answers["1 "+small+" us-west-2"]
	require.Empty(t, refused.Status)
	require.NotNil(t, refused.Error)
	require.Equal(t, "SourceTooSmall", refused.Error.Code)
	require.Equal(t, tooSmall, refused.Error.Message)
	require.Equal(t, "pending", answers["1 "+large+" us-west-2"].Status)
	require.Equal(t, "pending", answers["1 https://example.com/new us-west-2"].Status)
	require.Len(t, f.queue.sent, 2)
	for _, r := range f.queue.sent {
		require.EqualValues(t, 1000, r.MinSize)
		require.NotEqual(t, small, r.URL)
	}
}

// TestCopyOfASmallObjectIsUsed has a copy that another front end made, without a minimum.
func TestCopyOfASmallObjectIsUsed(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MinSize = 1000 })
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{Size: 999}))
	require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
}
