package cachetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// Watcher is the contract that [RunWakes] checks.
type Watcher interface {
	// Wait returns a channel that receives a value when the entry changes, and a function that ends
	// the wait.
	Wait(key string) (changed <-chan struct{}, stop func())
}

var (
	_ Watcher = (*Memory)(nil)
	_ Watcher = (*cache.Watcher)(nil)
)

// RunWakes checks which entries wake the waiters of c. The watcher w must be up.
func RunWakes(t *testing.T, c Cache, w Watcher) {
	t.Helper()
	now := time.Now()
	pending, known := Rules().Pending(now, "a", 0, -1), Rules().Pending(now, "a", 0, -1)
	known.SHA256 = strings.Repeat("0a", 32)
	further := known
	further.Done++
	another := known
	another.SHA256 = strings.Repeat("0b", 32)
	present := Rules().Present(now, cache.Copy{})
	failed := Rules().Failed(now, cache.Reason{Class: "x"})
	none := cache.Entry{}
	for name, tc := range map[string]struct {
		before, after cache.Entry
		want          bool
	}{
		"pending":                         {none, pending, false},
		"pending, renewed":                {pending, Rules().Pending(now, "a", 1, -1), false},
		"pending, with a digest":          {pending, known, true},
		"pending, with the same digest":   {known, further, false},
		"pending, with another digest":    {known, another, true},
		"pending, without a digest":       {known, pending, false},
		"pending after a failure":         {failed, pending, false},
		"pending, which does not replace": {present, known, false},
		"present":                         {pending, present, true},
		"present without an entry before": {none, present, true},
		"present again":                   {present, present, false},
		"present, with another deadline":  {present, Rules().Present(now.Add(time.Second), cache.Copy{}), true},
		"failed":                          {pending, failed, true},
		"failed, which does not replace":  {present, failed, false},
	} {
		t.Run(name, func(t *testing.T) {
			key := Key(t.Name() + time.Now().String())
			if tc.before != none {
				require.NoError(t, c.Put(t.Context(), key, 0, tc.before))
			}
			awaitWakes(t, c, w, key)
			changed, stop := w.Wait(key)
			defer stop()
			require.NoError(t, c.Put(t.Context(), key, 0, tc.after))
			awaitWakes(t, c, w, key)
			require.Equal(t, tc.want, len(changed) == 1)
		})
	}
}

// awaitWakes waits until all earlier changes of the entry have woken their waiters. Wakes keep the
// order of the changes in one slot.
func awaitWakes(t *testing.T, c Cache, w Watcher, key string) {
	t.Helper()
	key += "last" + time.Now().String()
	changed, stop := w.Wait(key)
	defer stop()
	require.NoError(t, c.Put(t.Context(), key, 0, Rules().Present(time.Now(), cache.Copy{})))
	select {
	case <-changed:
	case <-time.After(5 * time.Second):
		require.Fail(t, "a present entry woke no waiter within 5 s")
	}
}
