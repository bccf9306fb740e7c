package activities_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

func (b *fixture) purgeCopy(t *testing.T, generation int64) (out activities.PurgeResult, err error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.PurgeCopy, activities.PurgeInput{Source: b.source, Generation: generation})
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

func (b *fixture) generation(t *testing.T) int64 {
	t.Helper()
	g, err := b.cache.Generation(t.Context(), b.key())
	require.NoError(t, err)
	return g
}

// TestPurgeIsFinished purges an object while its bucket, or redis, is down. Attempts that fail at
// the bucket make no further generation: it would end a copy that started since.
func TestPurgeIsFinished(t *testing.T) {
	down := errors.New("down")
	for name, known := range map[string]bool{"the bucket was down": true, "redis was down": false} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.stored(t)
			first := int64(0)
			if known {
				var err error
				first, err = b.cache.Purge(t.Context(), b.key())
				require.NoError(t, err)
			} else {
				b.cache.Fail(down)
				_, err := b.purgeCopy(t, 0)
				requireFailure(t, err, activities.ClassCache, false)
				b.cache.Fail(nil)
			}
			var last map[string]int64
			b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { require.NoError(t, details.Get(&last)) })
			b.bucket.Err = down
			_, err := b.purgeCopy(t, first)
			requireFailure(t, err, activities.ClassStorage, false)
			before := b.generation(t)
			require.Positive(t, before)
			if last != nil {
				b.env.SetHeartbeatDetails(last)
			}
			require.Equal(t, known, last == nil)
			_, err = b.purgeCopy(t, first)
			requireFailure(t, err, activities.ClassStorage, false)
			require.Equal(t, before, b.generation(t), "an attempt in vain ends copies")

			b.bucket.Err = nil
			out, err := b.purgeCopy(t, first)
			require.NoError(t, err)
			require.Greater(t, out.Generation, before)
			require.Equal(t, b.generation(t), out.Generation)
			require.False(t, out.Replaced)
			_, ok := b.bucket.Body(b.object.Key())
			require.False(t, ok)
		})
	}
}

// TestSecondPurgeOfAnOutageIsNotLost purges an object twice without redis. The first purge has made
// its generation, and a copy was made since. An attempt of the first one's run leaves that copy,
// which is the control. The bridge starts another run for the second purge, and that run deletes
// it.
func TestSecondPurgeOfAnOutageIsNotLost(t *testing.T) {
	b := newFixture(t)
	first, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.streamCopy(t, first)
	require.NoError(t, err)
	b.env.SetHeartbeatDetails(map[string]int64{"generation": first})
	out, err := b.purgeCopy(t, 0)
	require.NoError(t, err)
	require.True(t, out.Replaced)

	b.env = (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	b.env.RegisterActivity(b.Activities)
	out, err = b.purgeCopy(t, 0)
	require.NoError(t, err)
	require.False(t, out.Replaced)
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok)
}

// TestFinishedPurgeKeepsANewerCopy copies the object after the purge, before the purge is finished.
func TestFinishedPurgeKeepsANewerCopy(t *testing.T) {
	b := newFixture(t)
	first, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.streamCopy(t, first)
	require.NoError(t, err)
	out, err := b.purgeCopy(t, first)
	require.NoError(t, err)
	require.Equal(t, activities.PurgeResult{Generation: first, Replaced: true}, out)
	require.Equal(t, first, b.generation(t))
	_, ok := b.bucket.Body(b.object.Key())
	require.True(t, ok)

	later, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	out, err = b.purgeCopy(t, later)
	require.NoError(t, err)
	require.False(t, out.Replaced)
	_, ok = b.bucket.Body(b.object.Key())
	require.False(t, ok, "the copy is older than the second purge")
}
