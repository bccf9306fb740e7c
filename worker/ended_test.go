package worker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestEnded waits for the ends of copies. The clock is synctest's.
func TestEnded(t *testing.T) {
	deadline := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	pending := cache.Entry{State: cache.Pending, Owner: "f", Deadline: deadline}
	present := cache.Entry{State: cache.Present, Deadline: deadline}
	failed := cache.Entry{State: cache.Error, Deadline: deadline, Reason: cache.Reason{Class: "SourceBusy"}}
	const soon = 100 * time.Millisecond
	for name, tc := range map[string]struct {
		action queue.Action
		entry  cache.Entry
		then   cache.Entry // After soon; absent is no change
		err    error       // Of redis
		want   time.Duration
	}{
		"present":             {queue.Put, present, cache.Entry{}, nil, 0},
		"failed":              {queue.Put, failed, cache.Entry{}, nil, 0},
		"its lease expired":   {queue.Put, cache.Entry{}, cache.Entry{}, nil, 250 * time.Millisecond},
		"no lease, published": {queue.Put, cache.Entry{}, present, nil, soon},
		"no lease, fails":     {queue.Put, cache.Entry{}, failed, nil, soon},
		"is published":        {queue.Put, pending, present, nil, soon},
		"fails":               {queue.Put, pending, failed, nil, soon},
		"makes progress":      {queue.Put, pending, cache.Entry{State: cache.Pending, Owner: "f", Deadline: deadline, Done: 1}, nil, 250 * time.Millisecond},
		"takes long":          {queue.Put, pending, cache.Entry{}, nil, 250 * time.Millisecond},
		"redis is down":       {queue.Put, pending, cache.Entry{}, errors.New("down"), 0},
		"a purge has no copy": {queue.Cancel, pending, cache.Entry{}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &temporalDouble{
					start:  func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil },
					signal: func(string, string, string, any) error { return nil },
				}
				b, _ := newBridge(t, d)
				var m cachetest.Memory
				b.Entries, b.Changes = &m, &m
				r := request(tc.action)
				key := bucketSpace.Key(storage.Object{Service: "s3", Region: "us-west-2", URL: r.URL}.Hash())
				if tc.entry.State != cache.Absent {
					require.NoError(t, m.Put(t.Context(), key, 0, tc.entry))
				}
				m.Fail(tc.err)
				if tc.then.State != cache.Absent {
					time.AfterFunc(soon, func() { require.NoError(t, m.Put(context.Background(), key, 0, tc.then)) })
				}
				require.NoError(t, b.Handle(t.Context(), r))
				start := time.Now()
				b.Ended(t.Context(), r)
				require.Equal(t, tc.want, time.Since(start))
				require.Zero(t, m.Waiting(key))

				b.Bypassed = func(string, string) bool { return true }
				require.NoError(t, b.Handle(t.Context(), r))
				start = time.Now()
				b.Ended(t.Context(), r)
				require.Equal(t, start, time.Now(), "a request that is switched off makes no copy")
			})
		})
	}
}

// deafEntries ignores that ctx is done, as a [cache.Redis] with a circuit breaker does.
type deafEntries struct {
	*cachetest.Memory
	gets int
}

func (e *deafEntries) Get(ctx context.Context, key string) (cache.Entry, error) {
	if e.gets++; e.gets > 10 {
		return cache.Entry{}, errors.New("control: too many calls")
	}
	return e.Memory.Get(context.WithoutCancel(ctx), key)
}

// TestEndedByAPurge has a purge drop the entry of a running copy.
func TestEndedByAPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBridge(t, &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil }})
		var m cachetest.Memory
		b.Entries, b.Changes = &m, &m
		r := request(queue.Put)
		key := bucketSpace.Key(storage.Object{Service: "s3", Region: "us-west-2", URL: r.URL}.Hash())
		lease := cache.Entry{State: cache.Pending, Owner: "f", Deadline: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
		require.NoError(t, m.Put(t.Context(), key, 0, lease))
		require.NoError(t, b.Handle(t.Context(), r))
		time.AfterFunc(100*time.Millisecond, func() { _, _ = m.Purge(context.Background(), key) })
		start := time.Now()
		b.Ended(t.Context(), r)
		require.Equal(t, 100*time.Millisecond, time.Since(start))
	})
}

// TestEndedReadsNoMoreThanItNeeds has a copy take long.
func TestEndedReadsNoMoreThanItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBridge(t, &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil }})
		var m cachetest.Memory
		entries := &deafEntries{Memory: &m}
		b.Entries, b.Changes = entries, &m
		r := request(queue.Put)
		key := bucketSpace.Key(storage.Object{Service: "s3", Region: "us-west-2", URL: r.URL}.Hash())
		lease := cache.Entry{State: cache.Pending, Owner: "f", Deadline: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
		require.NoError(t, m.Put(t.Context(), key, 0, lease))
		require.NoError(t, b.Handle(t.Context(), r))
		entries.gets = 0
		start := time.Now()
		b.Ended(t.Context(), r)
		require.Equal(t, 250*time.Millisecond, time.Since(start))
		require.Equal(t, 1, entries.gets)
	})
}

var (
	_ worker.Entries = (*cache.Redis)(nil)
	_ worker.Changes = (*cache.Watcher)(nil)
)
