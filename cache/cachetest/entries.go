package cachetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func absent(t *testing.T, c Cache, key string) {
	e, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State)
	g, err := c.Generation(t.Context(), key)
	require.NoError(t, err)
	require.Zero(t, g)
}

func roundTrip(t *testing.T, c Cache, key string) {
	now := time.Now().Truncate(time.Millisecond)
	for _, e := range []cache.Entry{
		Rules().Pending(now, "me", 1, 2),
		{State: cache.Pending, Deadline: now.Add(time.Minute), Owner: "me", Attempts: 2, NextRetry: now.Add(time.Second)},
		{State: cache.Error, Deadline: now.Add(time.Minute), Reason: cache.Reason{Class: "CacheFailed"}, Attempts: 8, NextRetry: now.Add(time.Minute)},
		{State: cache.Error, Deadline: now.Add(time.Minute), Reason: cache.Reason{Class: "OperatorFailed"}, Run: "a"},
		{State: cache.Pending, Deadline: now.Add(time.Minute), Low: true, SHA256: strings.Repeat("0a", 32)},
		Rules().Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: "private"}),
		Rules().Unmirrorable(now, cache.Reason{Class: "SourceTruncated", Text: "private"}),
		Rules().Present(now, cache.Copy{Expires: now.Add(24 * time.Hour).Truncate(time.Second)}),
	} {
		require.NoError(t, c.Put(t.Context(), key, 0, e))
		require.Equal(t, e, get(t, c, key))
	}
}

func deadline(t *testing.T, c Cache, key string) {
	soon := cache.Entry{State: cache.Present, Deadline: time.Now().Add(50 * time.Millisecond)}
	require.NoError(t, c.Put(t.Context(), key, 0, soon))
	require.Equal(t, cache.Present, get(t, c, key).State)
	require.Eventually(t, func() bool { return get(t, c, key).State == cache.Absent }, 5*time.Second, 5*time.Millisecond)
	// Times are stored in whole milliseconds, so the entry may end one or two early.
	require.False(t, time.Now().Before(soon.Deadline.Add(-2*time.Millisecond)))
}

func presentKept(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Failed(time.Now(), cache.Reason{Class: "x"})))
	require.Equal(t, cache.Present, get(t, c, key).State)
}

func retry(t *testing.T, c Cache, key string) {
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Failed(time.Now(), cache.Reason{Class: "x"})))
	require.Equal(t, cache.Error, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	require.Equal(t, cache.Pending, get(t, c, key).State)
}

// endedRun has an attempt renew its lease after its run has ended. Another run takes the lease.
func endedRun(t *testing.T, c Cache, key string) {
	ended := Rules().Failed(time.Now(), cache.Reason{Class: "x", Text: `"run":"b"`})
	ended.Run = "a"
	require.NoError(t, c.Put(t.Context(), key, 0, ended))
	renewed := Rules().Pending(time.Now(), "a", 0, -1)
	renewed.Run = "a"
	require.NoError(t, c.Put(t.Context(), key, 0, renewed))
	require.Equal(t, cache.Error, get(t, c, key).State)
	renewed.Run = "b"
	require.NoError(t, c.Put(t.Context(), key, 0, renewed))
	require.Equal(t, cache.Pending, get(t, c, key).State)
	require.NoError(t, c.Put(t.Context(), key, 0, ended))
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Pending(time.Now(), "a", 0, -1)))
	require.Equal(t, cache.Pending, get(t, c, key).State, "another round of the run begins")
}

func dropUnchanged(t *testing.T, c Cache, key string) {
	now := time.Now()
	older, newer := Rules().Present(now, cache.Copy{Expires: now.Add(24 * time.Hour)}), Rules().Present(now.Add(time.Second), cache.Copy{Expires: now.Add(25 * time.Hour)})
	drop := func(e cache.Entry) bool {
		t.Helper()
		dropped, err := c.Drop(t.Context(), key, e)
		require.NoError(t, err)
		return dropped
	}
	require.False(t, drop(older), "there is no entry")
	require.NoError(t, c.Put(t.Context(), key, 0, older))
	read := get(t, c, key)
	require.NoError(t, c.Put(t.Context(), key, 0, newer))
	require.False(t, drop(read), "the entry has changed")
	read = get(t, c, key)
	require.Equal(t, newer.Deadline.UnixMilli(), read.Deadline.UnixMilli())
	require.True(t, drop(read))
	require.Equal(t, cache.Absent, get(t, c, key).State)
	require.False(t, drop(read))
}

func get(t *testing.T, c Cache, key string) cache.Entry {
	t.Helper()
	e, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	return e
}
