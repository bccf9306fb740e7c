package copier

import (
	"context"
	"errors"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// copyByServer asks the bucket's server to make the copy if it may, and reports whether it did. A
// server-side copy can't be hashed, and can't resume an earlier try.
func (r *run) copyByServer(ctx context.Context) (copied bool, err error) {
	source := r.job.Server(r.meta)
	if source == nil || r.job.SHA256 || len(r.meta.Digests) > 0 || r.resume.Upload != "" || r.resume.Stream {
		return false, nil
	}
	if err := r.takeSlot(ctx); err != nil {
		return false, err
	}
	stored := &r.job.Counters.Stored
	r.result.Stored, err = r.copier.Bucket.CopyFrom(ctx, r.spec, *source, func(n int64) { stored.Add(n) })
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
