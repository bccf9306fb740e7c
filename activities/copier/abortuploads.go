package copier

import (
	"context"
	"errors"
	"slices"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// AbortUploads aborts every upload of except.Key other than except.
func AbortUploads(ctx context.Context, b Aborter, except storage.Upload) error {
	open, err := others(ctx, b, except)
	return errors.Join(err, abortAll(ctx, b, open))
}

// abortOthers aborts uploads left by earlier copies. It heartbeats first, by Checkpoint: a worker
// that was frozen and replaced is cancelled before it can abort its successor's upload.
func (r *run) abortOthers(ctx context.Context, except storage.Upload) error {
	open, err := others(ctx, r.copier.Bucket, except)
	if err != nil || len(open) == 0 {
		return bucketError(err)
	}
	if r.job.Checkpoint(r.resume); ctx.Err() != nil {
		return ctx.Err()
	}
	return bucketError(abortAll(ctx, r.copier.Bucket, open))
}

func abortAll(ctx context.Context, b Aborter, open []storage.Upload) (err error) {
	for _, u := range open {
		err = errors.Join(err, b.AbortUpload(ctx, u))
	}
	return err
}

// others lists the uploads of except.Key other than except.
func others(ctx context.Context, b Aborter, except storage.Upload) ([]storage.Upload, error) {
	open, err := b.ListUploads(ctx, except.Key)
	return slices.DeleteFunc(open, func(u storage.Upload) bool { return u.Key != except.Key || u.ID == except.ID }), err
}
