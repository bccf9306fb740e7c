package activities_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

func TestHeadSource(t *testing.T) {
	b := newFixture(t)
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.EqualValues(t, -1, out.Meta.Size)
	require.NotEmpty(t, out.Meta.ContentEncoding, "an earlier build would store an object without headers")
	require.True(t, out.First)
	require.NotEmpty(t, out.CopyID)
	require.Nil(t, out.Stored)
	require.Equal(t, cache.Pending, b.entry(t).State, "clients do not know that a copy is pending")
	require.Zero(t, b.origin.requests.Load(), "requests to the source")
}

func TestHeadSourceFindsAnExistingCopy(t *testing.T) {
	b := newFixture(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	b.origin.requests.Store(0)
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Stored.Size)
	require.NotEmpty(t, out.Stored.CRC64NVME)
	require.EqualValues(t, len(body), b.seen.found)

	// A purged copy does not count, and may be replaced.
	generation, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	out, err = b.headSource(t)
	require.NoError(t, err)
	require.Nil(t, out.Stored)
	require.EqualValues(t, len(body), b.seen.found, "a purged copy counts as found")
	require.Equal(t, b.replaces(t), out.Replaces)
	require.NotEmpty(t, out.Replaces)
	require.Equal(t, generation, out.Generation)
	require.Zero(t, b.origin.requests.Load(), "requests to the source")
	_, err = b.streamCopy(t, generation)
	require.NoError(t, err)
	out, err = b.headSource(t)
	require.NoError(t, err)
	require.NotNil(t, out.Stored)
	require.Equal(t, generation, out.Generation)
}

// TestHeadSourceWaitsForTheBucket has a bucket that answers after the cache.
func TestHeadSourceWaitsForTheBucket(t *testing.T) {
	b := newFixture(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	answered := make(chan struct{})
	b.Cache = announcingCache{b.cache, answered}
	b.Bucket = lateBucket{b.bucket, answered}
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.NotNil(t, out.Stored)
	require.EqualValues(t, len(body), out.Stored.Size)
}

// announcingCache closes a channel after its only Put.
type announcingCache struct {
	*cachetest.Memory
	done chan<- struct{}
}

func (c announcingCache) Put(ctx context.Context, key string, generation int64, e cache.Entry) error {
	defer close(c.done)
	return c.Memory.Put(ctx, key, generation, e)
}

// lateBucket answers Head after another event, and fails if its caller does not wait for that.
type lateBucket struct {
	*storagetest.Memory
	after <-chan struct{}
}

func (b lateBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	<-b.after
	select {
	case <-ctx.Done():
		return storage.Stored{}, ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return b.Memory.Head(ctx, key)
	}
}

func TestHeadSourceWithoutTheBucketMakesACopy(t *testing.T) {
	b := newFixture(t)
	b.bucket.Err = errors.New("down")
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.Nil(t, out.Stored)
	require.True(t, out.First)
	require.Equal(t, cache.Pending, b.entry(t).State)
}

// TestFailureNamesTheHopThatAnswered has another host answer, after a redirect.
func TestFailureNamesTheHopThatAnswered(t *testing.T) {
	b, other := newFixture(t), newOrigin(t)
	b.origin.answer(http.StatusFound, http.Header{"Location": {other.served.URL + "/b?sig=secret"}})
	other.answer(http.StatusNotFound, nil)
	_, err := b.streamCopy(t, 0)
	requireFailure(t, err, "BadHTTPStatus", true)
	app, _ := errors.AsType[*temporal.ApplicationError](err)
	var f activities.Failure
	require.NoError(t, app.Details(&f))
	require.Equal(t, "Unexpected HTTP Status: 404", f.Text)
	require.Equal(t, http.MethodGet, f.Method)
	require.Equal(t, other.served.Listener.Addr().String(), f.Host)
	require.NotEqual(t, b.origin.served.Listener.Addr().String(), f.Host, "control")
}

func TestSourceErrorsAreClassified(t *testing.T) {
	for name, tc := range map[string]struct {
		err        error
		class      string
		permanent  bool
		retryAfter time.Duration
	}{
		"404": {&origin.Error{Class: origin.ClassBadHTTPStatus, Status: 404, Permanent: true}, "BadHTTPStatus", true, 0},
		"503": {
			&origin.Error{Class: origin.ClassBadHTTPStatus, Status: 503, RetryAfter: 7 * time.Second}, "BadHTTPStatus", false,
			7 * time.Second,
		},
		"busy":          {&origin.Error{Class: origin.ClassBusy}, "SourceBusy", false, 0},
		"half a rune":   {errors.New(strings.Repeat("x", 1023) + "\u00e9"), "InternalError", false, 0},
		"not allowed":   {&origin.Error{Class: origin.ClassInvalidURL, Permanent: true}, "InvalidUrl", true, 0},
		"anything else": {errors.New(strings.Repeat("x", 1<<20)), "InternalError", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.origin.err = tc.err
			_, err := b.streamCopy(t, 0)
			requireFailure(t, err, tc.class, tc.permanent)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			if tc.class == string(origin.ClassBusy) { // The pause is random
				require.GreaterOrEqual(t, app.NextRetryDelay(), 500*time.Millisecond)
				require.Less(t, app.NextRetryDelay(), time.Second)
				return
			}
			require.Equal(t, tc.retryAfter, app.NextRetryDelay())
		})
	}
}
