package activities_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// errUnnamed is an error that says nothing about the object.
var errUnnamed = errors.New("try again")

// rejectingBucket rejects the first objects that it gets, or their parts.
type rejectingBucket struct {
	*storagetest.Memory
	left atomic.Int64 // rejections
	err  error
}

func (b *rejectingBucket) reject() error {
	if b.left.Add(-1) < 0 {
		return nil
	}
	return fmt.Errorf("the server answers InvalidRequest: %w", b.err)
}

func (b *rejectingBucket) Put(ctx context.Context, spec storage.ObjectSpec, body storage.Body) (storage.Stored, error) {
	if err := b.reject(); err != nil {
		return storage.Stored{}, err
	}
	return b.Memory.Put(ctx, spec, body)
}

func (b *rejectingBucket) CompleteUpload(
	ctx context.Context, spec storage.ObjectSpec, u storage.Upload, parts []storage.Part,
) (storage.Stored, error) {
	if err := b.reject(); err != nil {
		return storage.Stored{}, err
	}
	return b.Memory.CompleteUpload(ctx, spec, u, parts)
}

// TestRepeatedRejectionEndsTheCopy has the bucket reject complete objects. One retry, as a stream, is
// enough.
func TestRepeatedRejectionEndsTheCopy(t *testing.T) {
	for _, large := range []bool{false, true} {
		for name, tc := range map[string]struct {
			rejections int64
			err        error
			attempts   int // that fail
		}{
			"rejected once":        {1, storage.ErrRejected, 1}, // control
			"rejected for ever":    {1 << 30, storage.ErrRejected, 2},
			"differs once":         {1, storage.ErrMismatch, 1},
			"differs for ever":     {1 << 30, storage.ErrMismatch, 2},
			"another error thrice": {3, errUnnamed, 3},
		} {
			t.Run(name+", large "+strconv.FormatBool(large), func(t *testing.T) {
				a := newAttempts(t)
				if large {
					a.large()
					a.in = a.input()
				}
				bucket := &rejectingBucket{Memory: a.bucket, err: tc.err}
				bucket.left.Store(tc.rejections)
				a.Copier.Bucket = bucket
				ended := false
				for n := 1; n <= tc.attempts; n++ {
					f, final, _ := a.run(t)
					require.False(t, ended, "attempt %d", n)
					ended = final
					if errors.Is(tc.err, errUnnamed) {
						require.Equal(t, activities.ClassStorage, f.Class)
						continue
					}
					require.Equal(t, activities.ClassRejected, f.Class)
					require.Equal(t, n > 1, f.Repeats)
					e := a.publish(t, f)
					require.Equal(t, n > 1, e.Unmirrorable, "clients wait for a copy that the bucket rejects")
					require.Equal(t, activities.ClassRejected, e.Class)
				}
				require.Equal(t, tc.rejections > 3, ended, "a series of 8 attempts downloads the object 8 times")
				if ended {
					require.Equal(t, []string{activities.ClassRejected}, a.seen.unmirrorable)
					return
				}
				a.env.SetHeartbeatDetails(*a.last)
				_, err := a.copyLarge(t, a.in)
				require.NoError(t, err)
			})
		}
	}
}
