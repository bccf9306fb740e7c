package copier

import (
	"context"
	"errors"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// serverMayCopy reports whether the bucket's server may make the copy. A server-side copy can't be
// checked against a digest, and can't resume an earlier try.
func (r *run) serverMayCopy() bool {
	digests := len(r.job.Expect) + len(r.job.Meta.Digests)
	return r.job.Server != nil && digests == 0 && r.resume.Upload == "" && !r.resume.Stream
}

// copyByServer asks the bucket's server to make the copy, and reports whether it did.
func (r *run) copyByServer(ctx context.Context) (copied bool, err error) {
	stored := &r.job.Counters.Stored
	r.result.Stored, err = r.copier.Bucket.CopyFrom(ctx, r.spec, *r.job.Server, func(n int64) { stored.Add(n) })
	switch {
	case err == nil:
		r.result.Way = WayServer
		return true, nil
	case !errors.Is(err, storage.ErrNotCopied):
		return false, bucketError(err)
	}
	r.result.Restarted = cut(err.Error())
	stored.Store(0)
	return false, nil
}
