package copier_test

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func requireTooLarge(t *testing.T, err error) {
	t.Helper()
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, origin.ClassTooLarge, failure.Class)
	require.True(t, failure.Permanent)
	require.Contains(t, failure.Text, "max_size")
}

// TestDeclaredSizeIsLimited copies objects of exactly the limit, and refuses objects of one byte
// more by their declared length.
func TestDeclaredSizeIsLimited(t *testing.T) {
	for _, size := range []int{1, 1000, copier.Small, copier.Small + 1, 2 * partSize} {
		t.Run(describe(size), func(t *testing.T) {
			r := inMemory(t, size)
			r.MaxSize = int64(size)
			_, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)

			r = inMemory(t, size)
			r.MaxSize = int64(size) - 1
			if r.MaxSize == 0 {
				return
			}
			_, err = r.attempt(t)
			requireTooLarge(t, err)
			require.ErrorContains(t, err, strconv.Itoa(size))
			require.ErrorContains(t, err, strconv.Itoa(size-1))
			r.requireNothing(t)
			require.Zero(t, r.source.ranges.Load())
		})
	}
}

// TestUndeclaredSizeIsLimited copies objects without a declared length.
func TestUndeclaredSizeIsLimited(t *testing.T) {
	for _, size := range []int{1000, mib, mib + 1, 3 * partSize} {
		t.Run(describe(size), func(t *testing.T) {
			r := inMemory(t, size)
			r.source.chunked = true
			r.newJob(t)
			r.MaxSize = int64(size)
			_, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)

			r.newJob(t)
			r.MaxSize = int64(size) - 1
			_, err = r.attempt(t)
			requireTooLarge(t, err)
			r.requireNothing(t)
		})
	}
}

// TestEndlessBodyIsCut has a source send for ever.
func TestEndlessBodyIsCut(t *testing.T) {
	r := inMemory(t, 0)
	r.source.serve = func(w http.ResponseWriter, _ *http.Request, _ int64) {
		block := make([]byte, mib)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	const most = 3*partSize + 12345
	r.MaxSize = most
	out, err := r.run(t.Context())
	require.NoError(t, err)
	require.NotNil(t, out.Large, "it may be large")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	job := &copier.Job{
		URL: r.job.URL, Meta: *out.Large, Spec: r.job.Spec, Server: r.job.Server, Checkpoint: func(copier.State) {},
	}
	_, err = r.Run(ctx, job)
	requireTooLarge(t, err)
	require.LessOrEqual(t, job.Counters.Fetched.Load(), int64(most+mib), "it is cut as soon as it has sent more")
	r.requireNothing(t)
}

// TestClaimedSizeMakesNoFiles has a source claim 40 TiB. Its parts would be too large for memory.
func TestClaimedSizeMakesNoFiles(t *testing.T) {
	r := inMemory(t, 2*partSize)
	r.SpoolDir += "/missing" // A file can't be created
	r.job.Meta.Size = 40 << 40
	_, err := r.attempt(t)
	require.ErrorIs(t, err, os.ErrNotExist, "positive control: without a limit, there would be a file")
	r.newJob(t)
	r.saved.Store(nil)
	r.MaxSize = 1 << 40
	r.job.Meta.Size = 40 << 40
	_, err = r.attempt(t)
	requireTooLarge(t, err)
	r.requireNothing(t)
}
