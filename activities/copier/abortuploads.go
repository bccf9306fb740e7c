package copier

import (
	"context"
	"errors"
	"slices"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// AbortUploads aborts all uploads under the key of one but that one.
func AbortUploads(ctx context.Context, b Aborter, except storage.Upload) error {
	open, err := others(ctx, b, except)
	return errors.Join(err, abortAll(ctx, b, open))
}

// abortOthers aborts what earlier copies left. A worker that was frozen and has lost its copy to another one learns of it
// before.
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

func others(ctx context.Context, b Aborter, except storage.Upload) ([]storage.Upload, error) {
	open, err := b.ListUploads(ctx, except.Key)
	return slices.DeleteFunc(open, func(u storage.Upload) bool { return u.Key != except.Key || u.ID == except.ID }), err
}
