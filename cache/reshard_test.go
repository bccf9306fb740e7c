package cache_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestResharding moves the slot of a held object to a new master. Reads succeed during the move, and
// no entry is served after it changed.
func TestResharding(t *testing.T) {
	cluster := cachetest.StartCluster(t, 3, false)
	c, writer := openAt(t, cluster.URL), openAt(t, cluster.URL)
	n, _ := nearOf(t, c)
	key := hold(t, n, writer, t.Name())
	from, slot := cluster.Of(key), cluster.Slot(key)
	to := cluster.AddMaster(t)
	missing := sameSlot(t, cluster, slot)

	cluster.BeginMove(slot, from, to)
	for _, k := range []string{key, missing} { // The reply for the second one is ASK.
		_, err := c.Get(t.Context(), k)
		require.NoError(t, err)
		_, err = n.Read(t.Context(), k)
		require.NoError(t, err)
	}
	_, err := c.Claim(t.Context(), missing, time.Minute)
	require.NoError(t, err)
	_, _, err = c.Acquire(t.Context(), missing, cachetest.Rules().Pending(time.Now(), "me", 0, -1))
	require.ErrorContains(t, err, "TRYAGAIN", "a script has several keys: redis refuses it until the slot has moved")
	require.True(t, cache.Replied(err), "an answer opens no breaker")
	purged := make(chan error, 1)
	go func() { _, err := writer.Purge(t.Context(), missing); purged <- err }()
	cluster.EndMove(t, slot, from, to)
	require.NoError(t, <-purged, "a purge waits for the end of the move")

	require.Equal(t, to, cluster.Of(key))
	e, err := n.Read(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Present, e.State)
	require.Eventually(t, func() bool { _, _ = n.Get(t.Context(), key); return held(n, key) }, 20*time.Second, time.Millisecond)
	_, err = writer.Purge(t.Context(), key)
	require.NoError(t, err)
	requireChange(t, n, key)
	known, tracked := n.Masters()
	require.Equal(t, 4, known)
	require.Equal(t, 4, tracked)
}

// TestAMoveIsNoticedAtTheChange moves the slot of a held object, and changes the object at once. The
// near cache may not know the new master yet.
func TestAMoveIsNoticedAtTheChange(t *testing.T) {
	cluster := cachetest.StartCluster(t, 3, false)
	c, writer := openAt(t, cluster.URL), openAt(t, cluster.URL)
	n, _ := nearOf(t, c)
	to := cluster.AddMaster(t)
	for i := range 10 {
		key := hold(t, n, writer, fmt.Sprint(t.Name(), i))
		from, slot := cluster.Of(key), cluster.Slot(key)
		cluster.BeginMove(slot, from, to)
		cluster.EndMove(t, slot, from, to)
		requireChange(t, n, key)
		e, err := n.Get(t.Context(), key) // From the new master
		require.NoError(t, err)
		require.Equal(t, cache.Present, e.State)
		_, err = writer.Purge(t.Context(), key)
		require.NoError(t, err)
		requireChange(t, n, key)
	}
}

// sameSlot returns the key of an object in a slot.
func sameSlot(t *testing.T, cluster *cachetest.Cluster, slot any) string {
	t.Helper()
	for i := range 1 << 20 {
		key := cachetest.Key(fmt.Sprint(t.Name(), "other", i))
		if cluster.Slot(key) == slot {
			return key
		}
	}
	require.Fail(t, "no key in the slot")
	return ""
}
