package cache_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// names returns the names of all bypasses.
func names(t *testing.T, c *cache.Redis) (names []string) {
	t.Helper()
	list, err := c.Bypasses(t.Context())
	require.NoError(t, err)
	for _, b := range list.All {
		require.WithinDuration(t, time.Now(), b.Until, cache.MaxBypass)
		names = append(names, b.Name)
	}
	return names
}

func inAnHour(name string) cache.Bypass {
	return cache.Bypass{Name: name, Until: time.Now().Add(time.Hour)}
}

func TestBypassesAreAddedAndRemoved(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	pool, host := cache.BypassOfPool("s3_us-west-2"), cache.BypassOfHost("Example.com:8080")
	require.Empty(t, names(t, c))
	require.NoError(t, c.AddBypass(t.Context(), inAnHour(pool)))
	require.NoError(t, c.AddBypass(t.Context(), inAnHour(host)))
	require.NoError(t, c.AddBypass(t.Context(), inAnHour(host)), "again")
	require.Equal(t, []string{"host:example.com:8080", "pool:s3_us-west-2"}, names(t, c))
	removed, err := c.RemoveBypass(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, removed)
	removed, err = c.RemoveBypass(t.Context(), pool)
	require.NoError(t, err)
	require.False(t, removed)
	require.Equal(t, []string{host}, names(t, c))
	require.Greater(t, server.PTTL(t.Context(), "cm:2:bypass:{all}").Val(), cache.MaxBypass-time.Minute, "a full redis evicts short-lived keys first")
	_, err = c.RemoveBypass(t.Context(), host)
	require.NoError(t, err)
	list, err := c.Bypasses(t.Context())
	require.NoError(t, err)
	require.Empty(t, list.All)
	require.NotZero(t, list.ID, "an empty list is not a lost one")
}

func TestABypassEndsInTime(t *testing.T) {
	c, _, _ := openOwn(t, cache.Options{})
	require.NoError(t, c.AddBypass(t.Context(), cache.Bypass{Name: "host:brief", Until: time.Now().Add(50 * time.Millisecond)}))
	require.NoError(t, c.AddBypass(t.Context(), inAnHour("host:long")))
	require.Eventually(t, func() bool { return len(names(t, c)) == 1 }, 5*time.Second, time.Millisecond)
	for _, b := range []cache.Bypass{
		{Name: "host:past", Until: time.Now().Add(-time.Second)}, {Name: "host:far", Until: time.Now().Add(cache.MaxBypass + time.Minute)},
		inAnHour(strings.Repeat("a", 301)),
	} {
		require.ErrorContains(t, c.AddBypass(t.Context(), b), "within 720h0m0s, and its name has at most 300 bytes")
	}
	require.Equal(t, []string{"host:long"}, names(t, c))
}

func TestBypassesAreLimited(t *testing.T) {
	c, _, _ := openOwn(t, cache.Options{})
	for n := range 100 {
		require.NoError(t, c.AddBypass(t.Context(), inAnHour(fmt.Sprintf("host:%d%s", n, strings.Repeat("a", 290)))))
	}
	require.ErrorIs(t, c.AddBypass(t.Context(), inAnHour("host:b")), cache.ErrManyBypasses)
	require.Len(t, names(t, c), 100)
}

// TestNoChangeOfABypassIsLost has ten operators add bypasses at the same time.
func TestNoChangeOfABypassIsLost(t *testing.T) {
	c, _, _ := openOwn(t, cache.Options{})
	var all sync.WaitGroup
	errs := make(chan error, 10)
	for n := range cap(errs) {
		all.Go(func() { errs <- c.AddBypass(t.Context(), inAnHour(fmt.Sprintf("host:%d", n))) })
	}
	all.Wait()
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.Len(t, names(t, c), cap(errs))
}

// TestJunkIsNoBypass writes values that no build writes. A change replaces each of them.
func TestJunkIsNoBypass(t *testing.T) {
	const key = "cm:2:bypass:{all}"
	c, server, _ := openOwn(t, cache.Options{})
	far := time.Now().Add(365 * 24 * time.Hour).UnixMilli()
	for name, junk := range map[string]func(){
		"no JSON":      func() { server.Set(t.Context(), key, "\xff{", 0) },
		"null":         func() { server.Set(t.Context(), key, "null", 0) },
		"a large one":  func() { server.Set(t.Context(), key, strings.Repeat("a", 1<<20), 0) },
		"another type": func() { server.LPush(t.Context(), key, "a") },
		"a far end":    func() { server.Set(t.Context(), key, fmt.Sprintf(`{"host:a":%d}`, far), 0) },
	} {
		server.Del(t.Context(), key)
		junk()
		require.Empty(t, names(t, c), name)
		require.NoError(t, c.AddBypass(t.Context(), inAnHour("host:b")), name)
		require.Equal(t, []string{"host:b"}, names(t, c), name)
	}
}

func TestBypassesCover(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{Timeout: 100 * time.Millisecond, OnBreaker: func(bool) {}})
	changes := make(chan []string, 10)
	b := cache.Bypasses{OnChange: func(names []string) { changes <- names }}
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(t.Context(), c) }()
	t.Cleanup(func() { <-ended })
	covered := func(pool, url string) bool { return b.Covers(pool, url, time.Now()) }
	require.False(t, b.Any())
	require.NoError(t, c.AddBypass(t.Context(), inAnHour(cache.BypassOfHost("A.test:8080"))))
	require.NoError(t, c.AddBypass(t.Context(), inAnHour(cache.BypassOfPool("s3_b"))))
	for len(<-changes) < 2 {
	}
	require.True(t, b.Any())
	require.True(t, covered("s3_a", "https://a.test:8080/a/b.test/"))
	require.False(t, covered("s3_a", "https://a.test/a"))
	require.False(t, covered("s3_a", "https://b.test/a.test:8080/"))
	require.True(t, covered("s3_b", "https://b.test/a"))
	require.False(t, b.Covers("s3_b", "https://b.test/a", time.Now().Add(2*time.Hour)), "it has ended")

	server.Do(t.Context(), "CLIENT", "PAUSE", "3000")
	<-time.After(2500 * time.Millisecond)
	require.True(t, covered("s3_b", "https://b.test/a"), "redis does not answer")
	for _, name := range []string{"host:a.test:8080", "pool:s3_b"} {
		require.Eventually(t, func() bool {
			_, err := c.RemoveBypass(t.Context(), name)
			return err == nil
		}, 10*time.Second, 10*time.Millisecond)
	}
	for len(<-changes) > 0 {
	}
	require.False(t, b.Any())
}

// TestBypassesSurviveAFlush flushes redis twice: while there is a bypass, and after its removal.
func TestBypassesSurviveAFlush(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	changes := make(chan []string, 10)
	b := cache.Bypasses{OnChange: func(names []string) { changes <- names }}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx, c) }()
	t.Cleanup(func() { stop(); <-ended })
	const host = "host:a.test"
	require.NoError(t, c.AddBypass(t.Context(), inAnHour(host)))
	require.Equal(t, []string{host}, <-changes)
	require.NoError(t, server.FlushAll(t.Context()).Err())
	require.Empty(t, names(t, c))
	require.Eventually(t, func() bool { return slices.Equal(names(t, c), []string{host}) }, 10*time.Second, 10*time.Millisecond)
	require.True(t, b.Covers("s3_b", "https://a.test/", time.Now()))

	_, err := c.RemoveBypass(t.Context(), host)
	require.NoError(t, err)
	require.Empty(t, <-changes)
	require.NoError(t, server.FlushAll(t.Context()).Err())
	<-time.After(2500 * time.Millisecond)
	require.Empty(t, names(t, c), "a bypass that was removed came back")
	require.Empty(t, changes)
}

// TestNoBypassIsLostToANewList has operators change bypasses after a flush, before three readers
// write the lost ones again. No reader restores a bypass that an operator removed since.
func TestNoBypassIsLostToANewList(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	readers := make([]cache.Bypasses, 3)
	read := func() {
		for n := range readers {
			readers[n].Read(t.Context(), c)
		}
	}
	add := func(name string) { t.Helper(); require.NoError(t, c.AddBypass(t.Context(), inAnHour(name))) }
	remove := func(name string) bool {
		t.Helper()
		removed, err := c.RemoveBypass(t.Context(), name)
		require.NoError(t, err)
		return removed
	}
	flush := func() { t.Helper(); require.NoError(t, server.FlushAll(t.Context()).Err()) }
	add("host:a")
	add("host:b")
	read()

	flush()
	add("host:c")
	read()
	require.Equal(t, []string{"host:a", "host:b", "host:c"}, names(t, c), "an operator began another list")
	require.True(t, readers[2].Covers("s3_b", "https://a/", time.Now()))
	require.True(t, remove("host:a"))
	read()
	require.Equal(t, []string{"host:b", "host:c"}, names(t, c), "a removed bypass came back")

	flush()
	require.False(t, remove("host:b"), "redis does not have it yet")
	readers[0].Read(t.Context(), c)
	require.Equal(t, []string{"host:b", "host:c"}, names(t, c), "a removal that failed began another list")
	require.True(t, remove("host:b"))
	read()
	require.Equal(t, []string{"host:c"}, names(t, c), "one reader restored the list, and the others know it")

	// An earlier build replaces the list, without an id.
	server.Set(t.Context(), "cm:2:bypass:{all}", fmt.Sprintf(`{"host:d":%d}`, time.Now().Add(time.Hour).UnixMilli()), 0)
	read()
	require.Equal(t, []string{"host:d"}, names(t, c), "it may have removed the others")
	add("host:e")
	read()
	require.Equal(t, []string{"host:d", "host:e"}, names(t, c))
	flush()
	add("host:f")
	read()
	require.Equal(t, []string{"host:d", "host:e", "host:f"}, names(t, c))
}

// TestRestoredBypassesAreLimited restores more bypasses than there is room for.
func TestRestoredBypassesAreLimited(t *testing.T) {
	c, _, _ := openOwn(t, cache.Options{})
	var lost cache.BypassList
	for n := range 100 {
		lost.All = append(lost.All, inAnHour(fmt.Sprintf("host:%d%s", n, strings.Repeat("a", 290))))
	}
	require.NoError(t, c.AddBypass(t.Context(), inAnHour("host:z")))
	require.NoError(t, c.RestoreBypasses(t.Context(), lost))
	all := names(t, c)
	require.Len(t, all, 100)
	require.Contains(t, all, "host:z")
}

func BenchmarkAnyBypass(b *testing.B) {
	var none cache.Bypasses
	for b.Loop() {
		if none.Any() {
			b.Fatal("there is no bypass")
		}
	}
}
