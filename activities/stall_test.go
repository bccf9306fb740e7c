package activities_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

func TestStalledSourceIsCut(t *testing.T) {
	b := newFixture(t)
	b.Copier.StallTimeout = 50 * time.Millisecond
	b.origin.get = func(w http.ResponseWriter, r *http.Request) { drip(w, r, time.Hour) }
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, activities.ClassStalled, false)
}

// drip sends a body of five bytes, one after each pause.
func drip(w http.ResponseWriter, r *http.Request, pause time.Duration) {
	w.Header().Set("Content-Length", "5")
	for i := range body {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
			_, _ = io.WriteString(w, body[i:i+1])
		}
	}
}

// sourceTimeout is the stall timeout of tests whose source does not stall. On a busy machine a good
// source may send nothing for 50 ms. A bucket may hang for ten times as long.
const sourceTimeout = 300 * time.Millisecond

// stuckBucket stores nothing, and returns when its caller gives up.
type stuckBucket struct{ *storagetest.Memory }

func (stuckBucket) Put(ctx context.Context, _ storage.ObjectSpec, _ storage.Body) (storage.Stored, error) {
	<-ctx.Done()
	return storage.Stored{}, ctx.Err()
}

func TestStalledBucketIsNotBlamedOnTheSource(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.Copier.StallTimeout = sourceTimeout
	b.Copier.Bucket = stuckBucket{b.bucket}
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, activities.ClassStorage, false)
}

// TestStalledBucketIsCutDespiteShortMemory has a copy wait for memory that it holds itself.
func TestStalledBucketIsCutDespiteShortMemory(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.large()
	b.Copier.StallTimeout, b.Copier.Memory, b.Copier.Parts = sourceTimeout, copier.NewMemory(16<<20), parts
	b.Copier.Bucket = hangingBucket{b.bucket}
	_, err := b.copyLarge(t, b.input())
	requireFailure(t, err, activities.ClassStorage, false)
}

// hangingBucket stores no part, and returns when its caller gives up.
type hangingBucket struct{ *storagetest.Memory }

func (hangingBucket) UploadPart(ctx context.Context, _ storage.Upload, _ int32, _ storage.Body) (storage.Part, error) {
	<-ctx.Done()
	return storage.Part{}, ctx.Err()
}

// TestCopyThatWaitsForItsTurnIsNotCut holds all parts of a pool for longer than a bucket may stall.
func TestCopyThatWaitsForItsTurnIsNotCut(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.large()
	b.Copier.StallTimeout, b.Copier.MaxParts = 150*time.Millisecond, semaphore.NewWeighted(1)
	require.NoError(t, b.Copier.MaxParts.Acquire(t.Context(), 1))
	time.AfterFunc(3*time.Second, func() { b.Copier.MaxParts.Release(1) })
	_, err := b.copyLarge(t, b.input())
	require.NoError(t, err)
}
