package activities_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

func TestHeadSource(t *testing.T) {
	b := newFixture(t)
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Meta.Size)
	require.Nil(t, out.Stored)
	require.Equal(t, cache.Pending, b.entry(t).State, "clients do not know that a copy is pending")
}

func TestHeadSourceFindsAnExistingCopy(t *testing.T) {
	b := newFixture(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	b.origin.head = func(context.Context, string) (origin.Meta, error) { return origin.Meta{}, errors.New("gone") }
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.EqualValues(t, len(body), out.Stored.Size)
	require.NotEmpty(t, out.Stored.CRC64NVME)

	// A purged copy does not count.
	generation, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.headSource(t)
	require.Error(t, err)
	_, err = b.streamCopy(t, generation)
	require.NoError(t, err)
	out, err = b.headSource(t)
	require.NoError(t, err)
	require.NotNil(t, out.Stored)
	require.Equal(t, generation, out.Generation)
}

func TestHeadSourceFindsACopyEvenIfTheSourceFailsFirst(t *testing.T) {
	b := newFixture(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	failed := make(chan struct{})
	b.origin.head = func(context.Context, string) (origin.Meta, error) {
		defer close(failed)
		return origin.Meta{}, &origin.Error{Class: origin.ClassBadHTTPStatus, Status: 404, Permanent: true}
	}
	b.Bucket = lateBucket{b.bucket, failed}
	out, err := b.headSource(t)
	require.NoError(t, err)
	require.NotNil(t, out.Stored)
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
		"half a rune":   {errors.New(strings.Repeat("x", 1023) + "\u00e9"), "InternalError", false, 0},
		"not allowed":   {&origin.Error{Class: origin.ClassInvalidURL, Permanent: true}, "InvalidUrl", true, 0},
		"anything else": {errors.New(strings.Repeat("x", 1<<20)), "InternalError", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.origin.head = func(context.Context, string) (origin.Meta, error) { return origin.Meta{}, tc.err }
			_, err := b.headSource(t)
			requireFailure(t, err, tc.class, tc.permanent)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, tc.retryAfter, app.NextRetryDelay())
		})
	}
}
