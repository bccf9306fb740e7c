package frontend_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestDependenciesThatAreDown(t *testing.T) {
	down := errors.New("down")
	for name, tc := range map[string]struct {
		prepare  func(*testing.T, *fixture)
		location string
		msg      string
		puts     int
	}{
		"redis, the copy exists": {func(t *testing.T, f *fixture) { f.store(t, "0"); f.cache.Fail(down) }, copyURL("GET"), "", 0},
		"redis, no copy": {
			func(_ *testing.T, f *fixture) { f.cache.Fail(down) }, source, "Cached copy did not show up in 200ms", 1,
		},
		"redis, the copy is made": {func(t *testing.T, f *fixture) {
			f.cache.Fail(down)
			f.queue.copy = func(queue.Request) { f.store(t, "0") }
		}, copyURL("GET"), "", 1},
		"redis, from the lease on": {func(_ *testing.T, f *fixture) { f.cache.FailAfter(2, down) }, source, "Cached copy did not show up in 200ms", 1},
		"SQS":                      {func(_ *testing.T, f *fixture) { f.queue.err = down }, source, "Cached copy could not be requested", 0},
		"SQS and redis": {
			func(_ *testing.T, f *fixture) { f.queue.err = down; f.cache.Fail(down) }, source,
			"Cached copy could not be requested", 0,
		},
		"S3, the entry is present": {func(t *testing.T, f *fixture) {
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			f.bucket.Err = down
		}, copyURL("GET"), "", 0},
		"S3, no entry": {
			func(_ *testing.T, f *fixture) { f.bucket.Err = down }, source, "Cached copy did not show up in 200ms", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tc.prepare(t, f)
			start := time.Now()
			a := f.ask(t, "GET", path(""))
			require.Less(t, time.Since(start), 10*time.Second, "stuck")
			require.Equal(t, 302, a.status)
			require.Equal(t, tc.location, a.location)
			if tc.msg != "" {
				require.Equal(t, tc.msg, a.body["msg"])
			}
			require.Equal(t, tc.puts, f.queue.requests(queue.Put))
		})
	}
}

func TestSQSDownLeavesNoLeaseBehind(t *testing.T) {
	f := newFixture(t)
	f.queue.err = errors.New("down")
	require.Equal(t, source, f.ask(t, "GET", path("")).location)
	e, err := f.cache.Get(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State)

	f.queue.err = nil
	f.ask(t, "GET", path(""))
	require.Equal(t, 1, f.queue.requests(queue.Put))
}

func TestErrors(t *testing.T) {
	now := time.Now()
	r := cachetest.Rules()
	for name, tc := range map[string]struct {
		entry    cache.Entry
		status   int
		body     map[string]any
		location string
	}{
		"the source's 404": {
			r.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: "private"}), 404,
			map[string]any{"msg": "Unexpected HTTP Status: 404", "err": "BadHTTPStatus"}, "",
		},
		"the source's 410": {
			r.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 410, AboutObject: true, Text: "private"}), 410,
			map[string]any{"msg": "Unexpected HTTP Status: 410", "err": "BadHTTPStatus"}, "",
		},
		"a hop that is not allowed": {
			r.Failed(now, cache.Reason{Class: "InvalidUrl", Text: "private"}), 403,
			map[string]any{"msg": "The URL, or a hop of its redirects, is not allowed", "err": "InvalidUrl"}, "",
		},
		"an object that can't be copied": {
			r.Failed(now, cache.Reason{Class: "TooManyRedirects", Text: "private"}), 302,
			map[string]any{"msg": "Object could not be copied: TooManyRedirects", "url": source}, source,
		},
		"an object that its source cuts short": {
			r.Failed(now, cache.Reason{Class: "SourceTruncated", Text: "private"}), 302,
			map[string]any{"msg": "Object could not be copied: SourceTruncated", "url": source}, source,
		},
		"the source's 403 to us": {
			r.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 403, Text: "private"}), 302,
			map[string]any{"msg": "Object could not be copied: BadHTTPStatus 403", "url": source}, source,
		},
		"an authoritative 403": {
			r.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 403, AboutObject: true, Text: "private"}), 403,
			map[string]any{"msg": "Unexpected HTTP Status: 403", "err": "BadHTTPStatus"}, "",
		},
		"an object whose copies kept failing": {
			r.Unmirrorable(now, cache.Reason{Class: "SourceTruncated", Text: "private"}), 302,
			map[string]any{"msg": "Object could not be copied: SourceTruncated", "url": source}, source,
		},
		"a transient error whose back-off outlasts the wait": {
			r.Transient(now, 1, cache.Reason{Class: "SourceUnreachable", Text: "private"}), 302,
			map[string]any{"msg": "Object could not be copied: SourceUnreachable", "url": source}, source,
		},
		"the source's 503": {
			r.Transient(now, 1, cache.Reason{Class: "BadHTTPStatus", Status: 503, Text: "private"}), 302,
			map[string]any{"msg": "Object could not be copied: BadHTTPStatus 503", "url": source}, source,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *options) { o.MaxWait = 20 * time.Second })
			f.put(t, tc.entry)
			a := f.ask(t, "GET", path(""))
			require.Equal(t, tc.status, a.status)
			require.Equal(t, tc.body, a.body)
			require.Equal(t, tc.location, a.location)
			require.Equal(t, "cloud-mirror; fwd=miss", a.header.Get("Cache-Status"))
			require.Zero(t, f.queue.requests(queue.Put), "requested before its back-off ended")
		})
	}
}

func TestTransientErrorIsRetriedWhileAClientWaits(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
	rules := cachetest.Rules()
	rules.RetryAfter = 50 * time.Millisecond
	f.put(t, rules.Transient(time.Now(), 1, cache.Reason{Class: "SourceUnreachable"}))
	f.queue.copy = func(queue.Request) {
		_ = f.cache.Put(context.Background(), key(), 0, rules.Present(time.Now(), cache.Copy{}))
	}
	require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
	require.Equal(t, 1, f.queue.requests(queue.Put))
}
