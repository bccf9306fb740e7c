package activities_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestSmallObjectIsNotCopied has an object of 5 bytes.
func TestSmallObjectIsNotCopied(t *testing.T) {
	for name, serve := range map[string]func(w http.ResponseWriter){
		"with a length": func(w http.ResponseWriter) { _, _ = io.WriteString(w, body) },
		"in chunks": func(w http.ResponseWriter) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.origin.get = func(w http.ResponseWriter, _ *http.Request) { serve(w) }
			in := b.first()
			in.MinSize = 6
			out, err := b.copyOnce(t, in)
			require.NoError(t, err)
			require.Equal(t, activities.StreamCopyResult{Copy: activities.Copy{Attempts: 1}, TooSmall: &activities.TooSmall{Size: 5, MinSize: 6}}, out)
			require.Zero(t, b.seen.copied)
			require.EqualValues(t, 1, b.origin.requests.Load())
			_, ok := b.bucket.Body(b.object.Key())
			require.False(t, ok)

			in.MinSize = 5
			out, err = b.copyOnce(t, in)
			require.NoError(t, err)
			require.Nil(t, out.TooSmall)
			require.EqualValues(t, 5, out.Size)
			require.Equal(t, 1, b.seen.copied)
		})
	}
}

func (b *fixture) tooSmallUpdate(generation int64) activities.UpdateCacheInput {
	in := activities.TooSmallUpdate(activities.TooSmall{Size: 5, MinSize: 6})
	in.Source, in.Generation, in.Known = b.source, generation, true
	return in
}

// recordTooSmall runs UpdateCache for an object of 5 bytes.
func (b *fixture) recordTooSmall(generation int64) error {
	_, err := b.env.ExecuteActivity(b.UpdateCache, b.tooSmallUpdate(generation))
	return err
}

func TestSmallObjectIsRecorded(t *testing.T) {
	b := newFixture(t)
	_, _, err := b.cache.Acquire(t.Context(), b.key(), cachetest.Rules().Pending(time.Now(), "me", 0, -1))
	require.NoError(t, err)
	require.NoError(t, b.recordTooSmall(0))
	e := b.entry(t)
	require.Equal(t, cache.ClassTooSmall, e.Class)
	require.EqualValues(t, 5, e.Size)
	require.True(t, e.Final())
	require.WithinDuration(t, time.Now().Add(b.Rules.TTL), e.Deadline, time.Minute)
	require.Equal(t, 1, b.seen.tooSmall)
	require.Empty(t, b.seen.failed)
	require.Empty(t, b.seen.unmirrorable)
}

// TestSmallObjectEndsNoRow records a small object between failures. It is no failure, and no
// success.
func TestSmallObjectEndsNoRow(t *testing.T) {
	b := newFixture(t)
	require.NoError(t, b.recordTooSmall(0))
	row, err := b.cache.Failures(t.Context(), b.key(), "x", "run", time.Hour)
	require.NoError(t, err)
	require.Equal(t, cache.Row{All: 1, Same: 1}, row)
}

func TestPresentCopyOutlivesASmallRecord(t *testing.T) {
	b := newFixture(t)
	present := cachetest.Rules().Present(time.Now(), cache.Copy{Size: 5})
	require.NoError(t, b.cache.Put(t.Context(), b.key(), 0, present))
	require.NoError(t, b.recordTooSmall(0))
	require.Equal(t, present, b.entry(t))
}

// TestSmallRecordOfAPurgedObject is rejected. A client that asked again after the purge keeps its
// lease: the workflow decides whether it copies the object again.
func TestSmallRecordOfAPurgedObject(t *testing.T) {
	b := newFixture(t)
	generation, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	lease := cachetest.Rules().Pending(time.Now(), "me", 0, -1)
	_, _, err = b.cache.Acquire(t.Context(), b.key(), lease)
	require.NoError(t, err)
	requireFailure(t, b.recordTooSmall(0), activities.ClassPurged, true)
	require.Equal(t, lease, b.entry(t))
	require.Zero(t, b.seen.tooSmall)

	require.NoError(t, b.recordTooSmall(generation))
	require.Equal(t, cache.ClassTooSmall, b.entry(t).Class)
}

// TestEarlierWorkersRecordASmallObject has a worker of a build before 2026-11-26 read the input. It
// records a permanent failure of the class, for which clients get the source.
func TestEarlierWorkersRecordASmallObject(t *testing.T) {
	b := newFixture(t)
	data, err := json.Marshal(b.tooSmallUpdate(7))
	require.NoError(t, err)
	var earlier struct {
		Generation    int64
		Known         bool
		Copy, Failure *activities.Failure
	}
	require.NoError(t, json.Unmarshal(data, &earlier))
	require.Nil(t, earlier.Copy)
	require.EqualValues(t, 7, earlier.Generation)
	require.True(t, earlier.Known)
	require.Equal(t, &activities.Failure{
		Class: cache.ClassTooSmall, Permanent: true, Text: "too small: 5 bytes, and the minimum is 6",
	}, earlier.Failure)
}
