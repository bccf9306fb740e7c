package activities_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const day = 24 * time.Hour

func (b *fixture) refresh(t *testing.T) (activities.RefreshResult, error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.Refresh, activities.RefreshInput{Source: b.source})
	var out activities.RefreshResult
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

// living is a fixture with a published copy of that age. The bucket keeps copies for 40 days.
func living(t *testing.T, age time.Duration) *fixture {
	t.Helper()
	b := newFixture(t)
	b.Pool = storage.Pool{Service: "s3", Region: "us-west-2", Lifespan: 40 * day}
	b.bucket.Lifespan = b.Pool.Lifespan
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	b.bucket.Age(b.object.Key(), age)
	b.publish(t)
	b.origin.requests.Store(0)
	return b
}

// publish stores the entry of the copy, with a digest that the metadata lacks.
func (b *fixture) publish(t *testing.T) {
	t.Helper()
	stored, err := b.bucket.Head(t.Context(), b.object.Key())
	require.NoError(t, err)
	e := b.Rules.Present(b.Now(), cache.Copy{Expires: stored.Expires, Size: stored.Size, SHA256: digest})
	require.NoError(t, b.cache.Put(t.Context(), b.key(), stored.Generation, e))
}

var digest = strings.Repeat("0a", 32)

func TestRefresh(t *testing.T) {
	down := errors.New("down")
	for name, tc := range map[string]struct {
		age     time.Duration
		edit    func(*testing.T, *fixture)
		want    string
		renewed bool
	}{
		"in its last quarter":                {age: 31 * day, want: activities.Refreshed, renewed: true},
		"not in its last quarter":            {age: 29 * day, want: activities.RefreshEarly},
		"new":                                {want: activities.RefreshEarly},
		"in its last hours":                  {age: 40*day - 5*time.Hour, want: activities.Refreshed, renewed: true},
		"kept for ever":                      {age: 100 * day, edit: func(_ *testing.T, b *fixture) { b.Pool.Lifespan = 0 }, want: activities.RefreshEarly},
		"of a shorter rule, not in its last": {age: 0, edit: func(_ *testing.T, b *fixture) { b.Pool.Lifespan = 400 * day }, want: activities.RefreshEarly},
		"of a shorter rule, in its last":     {age: 31 * day, edit: func(_ *testing.T, b *fixture) { b.Pool.Lifespan = 400 * day }, want: activities.Refreshed, renewed: true},
		"deleted": {
			age: 31 * day, want: activities.RefreshReplaced,
			edit: func(t *testing.T, b *fixture) { require.NoError(t, b.bucket.Delete(t.Context(), b.object.Key())) },
		},
		"purged before": {
			age: 31 * day, want: activities.RefreshReplaced,
			edit: func(t *testing.T, b *fixture) {
				_, err := b.cache.Purge(t.Context(), b.key())
				require.NoError(t, err)
			},
		},
		"replaced meanwhile": {
			age: 31 * day, want: activities.RefreshReplaced,
			edit: func(_ *testing.T, b *fixture) { b.bucket.OnRefresh = func() error { return storage.ErrConflict } },
		},
		"unsupported": {
			age: 31 * day, want: activities.RefreshUnsupported,
			edit: func(_ *testing.T, b *fixture) { b.bucket.OnRefresh = func() error { return storage.ErrUnsupported } },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := living(t, tc.age)
			before := b.entry(t)
			spec, _ := b.bucket.Spec(b.object.Key())
			if tc.edit != nil {
				tc.edit(t, b)
			}
			out, err := b.refresh(t)
			require.NoError(t, err)
			require.Equal(t, tc.want, out.Result)
			require.Equal(t, []string{"s3_us-west-2 " + tc.want}, b.seen.refreshed)
			require.Zero(t, b.origin.requests.Load(), "the source was asked")
			if !tc.renewed {
				require.Zero(t, b.bucket.Refreshes)
				return
			}
			require.Equal(t, 1, b.bucket.Refreshes)
			after, err := b.bucket.Head(t.Context(), b.object.Key())
			require.NoError(t, err)
			require.True(t, after.Expires.After(time.Now().Add(39*day)))
			require.Equal(t, after.Expires.Unix(), out.Expires.Unix())
			renewed, _ := b.bucket.Spec(b.object.Key())
			require.NotEqual(t, spec.Metadata[storage.MetadataCopyID], renewed.Metadata[storage.MetadataCopyID])
			maps.DeleteFunc(spec.Metadata, func(k, _ string) bool { return k == storage.MetadataCopyID })
			maps.DeleteFunc(renewed.Metadata, func(k, _ string) bool { return k == storage.MetadataCopyID })
			require.Equal(t, spec.Metadata, renewed.Metadata)
			e := b.entry(t)
			require.Equal(t, cache.Present, e.State)
			require.Equal(t, after.Expires.Unix(), e.Expires.Unix())
			require.Equal(t, before.Size, e.Size)
			require.Equal(t, before.SHA256, e.SHA256, "the digest that only the entry has")

			out, err = b.refresh(t) // Positive control of "early".
			require.NoError(t, err)
			require.NotEqual(t, activities.RefreshFailed, out.Result)
			require.Equal(t, 1, b.bucket.Refreshes, "a refresh causes no other")
		})
	}

	t.Run("the bucket fails", func(t *testing.T) {
		b := living(t, 31*day)
		before, entry := body, b.entry(t)
		b.bucket.OnRefresh = func() error { return down }
		n := b.number(t.Context())
		for n.attempt = 1; n.attempt < activities.MaintenanceAttempts; n.attempt++ {
			_, err := b.refresh(t)
			requireFailure(t, err, activities.ClassStorage, false)
		}
		out, err := b.refresh(t)
		require.NoError(t, err)
		require.Equal(t, activities.RefreshResult{Result: activities.RefreshFailed, Cause: activities.ClassStorage}, out)
		stored, ok := b.bucket.Body(b.object.Key())
		require.True(t, ok)
		require.Equal(t, before, string(stored))
		require.Equal(t, entry, b.entry(t), "the old copy stays")
	})

	t.Run("redis fails", func(t *testing.T) {
		b := living(t, 31*day)
		b.cache.Fail(down)
		_, err := b.refresh(t)
		requireFailure(t, err, activities.ClassCache, false)
		require.Zero(t, b.bucket.Refreshes, "a purge is unknown then")
	})
}

// TestRefreshIsPublishedByTheNextAttempt has redis fail after the copy onto itself.
func TestRefreshIsPublishedByTheNextAttempt(t *testing.T) {
	b := living(t, 31*day)
	b.bucket.OnRefresh = func() error { b.cache.Fail(errors.New("down")); return nil }
	_, err := b.refresh(t)
	requireFailure(t, err, activities.ClassCache, false)
	require.Equal(t, 1, b.bucket.Refreshes)
	b.cache.Fail(nil)
	out, err := b.refresh(t)
	require.NoError(t, err)
	require.Equal(t, activities.Refreshed, out.Result)
	require.Equal(t, 1, b.bucket.Refreshes)
	require.True(t, b.entry(t).Expires.After(time.Now().Add(39*day)))
	require.Equal(t, digest, b.entry(t).SHA256, "the digest that only the entry has")
}

// TestPurgeWinsOverRefresh purges the object during the copy onto itself. The bucket then has the
// purged object again, or has it in place of a newer copy. A purge of the refresh removes it, and
// the entry of that copy with it.
func TestPurgeWinsOverRefresh(t *testing.T) {
	for name, after := range map[string]func(t *testing.T, b *fixture, generation int64){
		"the object was restored":         func(*testing.T, *fixture, int64) {},
		"a new copy is published already": newEntry(cache.Present),
		"a new copy is being made":        newEntry(cache.Pending),
	} {
		t.Run(name, func(t *testing.T) {
			b := living(t, 31*day)
			var generation int64
			b.bucket.OnRefresh = func() (err error) {
				generation, err = b.cache.Purge(t.Context(), b.key())
				after(t, b, generation)
				return err
			}
			out, err := b.refresh(t)
			require.NoError(t, err)
			require.Equal(t, activities.RefreshReplaced, out.Result)
			require.Equal(t, 1, b.bucket.Refreshes, "control")
			b.requireWithdrawn(t, generation)
		})
	}
}

// requireWithdrawn checks that a purged object is gone, and that no copy that started by then can
// be published.
func (b *fixture) requireWithdrawn(t *testing.T, purged int64) {
	t.Helper()
	_, stored := b.bucket.Body(b.object.Key())
	require.False(t, stored)
	require.Equal(t, cache.Absent, b.entry(t).State)
	generation, err := b.cache.Generation(t.Context(), b.key())
	require.NoError(t, err)
	require.Greater(t, generation, purged)
}

// TestPurgeWinsOverARefreshThatIsRetried has redis fail after the purge. The next attempt finds the
// object that this one restored. Redis forgets purges, so the object must not stay.
func TestPurgeWinsOverARefreshThatIsRetried(t *testing.T) {
	b := living(t, 31*day)
	var generation int64
	b.bucket.OnRefresh = func() (err error) {
		generation, err = b.cache.Purge(t.Context(), b.key())
		b.cache.Fail(errors.New("down"))
		return err
	}
	_, err := b.refresh(t)
	requireFailure(t, err, activities.ClassCache, false)
	_, stored := b.bucket.Body(b.object.Key())
	require.True(t, stored, "control")
	b.cache.Fail(nil)
	out, err := b.refresh(t)
	require.NoError(t, err)
	require.Equal(t, activities.RefreshReplaced, out.Result)
	require.Equal(t, 1, b.bucket.Refreshes)
	b.requireWithdrawn(t, generation)
}

// TestPurgeDuringARefreshKeepsANewerCopy has a copy replace the refreshed object after a purge.
func TestPurgeDuringARefreshKeepsANewerCopy(t *testing.T) {
	b := living(t, 31*day)
	var generation int64
	b.bucket.OnRefresh = func() (err error) {
		generation, err = b.cache.Purge(t.Context(), b.key())
		b.Now = func() time.Time { // The refresh looks at the clock before it publishes.
			b.Now = time.Now
			_, err := b.streamCopy(t, generation)
			require.NoError(t, err)
			require.NoError(t, b.cache.Put(t.Context(), b.key(), generation, b.Rules.Present(time.Now(), cache.Copy{Size: 5})))
			return time.Now()
		}
		return err
	}
	out, err := b.refresh(t)
	require.NoError(t, err)
	require.Equal(t, activities.RefreshReplaced, out.Result)
	stored, err := b.bucket.Head(t.Context(), b.object.Key())
	require.NoError(t, err)
	require.Equal(t, generation, stored.Generation)
	require.Equal(t, cache.Present, b.entry(t).State)
}

// newEntry stores the entry of a copy after the purge.
func newEntry(state cache.State) func(*testing.T, *fixture, int64) {
	return func(t *testing.T, b *fixture, generation int64) {
		t.Helper()
		e := b.Rules.Pending(b.Now(), "owner", 0, -1)
		if state == cache.Present {
			e = b.Rules.Present(b.Now(), cache.Copy{Expires: time.Now().Add(200 * day)})
		}
		if err := b.cache.Put(t.Context(), b.key(), generation, e); err != nil {
			t.Error(err)
		}
	}
}

// TestRefreshThatStoresOtherBytes has the server store other bytes, which the bucket then lacks.
// The next client's request must make a new copy.
func TestRefreshThatStoresOtherBytes(t *testing.T) {
	b := living(t, 31*day)
	b.bucket.OnRefresh = func() error {
		return errors.Join(storage.ErrMismatch, b.bucket.Delete(t.Context(), b.object.Key()))
	}
	_, err := b.refresh(t)
	requireFailure(t, err, activities.ClassRejected, false)
	require.Equal(t, cache.Absent, b.entry(t).State)
}

// TestCancelledRefreshPurgesItsLoss cancels the refresh when the server has stored other bytes.
func TestCancelledRefreshPurgesItsLoss(t *testing.T) {
	b := living(t, 31*day)
	ctx, cancel := context.WithCancel(t.Context())
	b.number(ctx)
	b.bucket.OnRefresh = func() error {
		cancel()
		return storage.ErrMismatch
	}
	_, err := b.refresh(t)
	require.Error(t, err)
	require.Equal(t, cache.Absent, b.entry(t).State)
}

// keepsAge is a bucket whose server copies an object onto itself in parts, and keeps its age.
type keepsAge struct {
	*storagetest.Memory
	age time.Duration
}

func (k keepsAge) Refresh(
	ctx context.Context, key, etag, copyID string, copied func(bytes int64),
) (storage.Stored, error) {
	if _, err := k.Memory.Refresh(ctx, key, etag, copyID, copied); err != nil {
		return storage.Stored{}, err
	}
	copied(1)
	copied(2)
	k.Age(key, k.age)
	return k.Head(ctx, key)
}

// TestRefreshThatKeepsTheAge is unsupported. It heartbeats for each part.
func TestRefreshThatKeepsTheAge(t *testing.T) {
	b := living(t, 31*day)
	b.Bucket = keepsAge{b.bucket, 31 * day}
	parts := make(chan struct{}, 10)
	b.env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { parts <- struct{}{} })
	out, err := b.refresh(t)
	require.NoError(t, err)
	require.Equal(t, activities.RefreshUnsupported, out.Result)
	require.Equal(t, 1, b.bucket.Refreshes, "control: the server copied")
	select {
	case <-parts:
	case <-time.After(5 * time.Second):
		require.Fail(t, "no heartbeat within 5 s")
	}
}
