package activities

import (
	"context"
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// AbortUploadInput is the input of [Activities.AbortUpload].
type AbortUploadInput struct {
	Source SealedObject `json:"source"`
}

// AbortUpload aborts every multipart upload of an object that will not be copied. It frees the
// parts.
func (a *Activities) AbortUpload(ctx context.Context, in AbortUploadInput) error {
	object, err := a.open(in.Source)
	if err != nil {
		return outcome(ctx, err)
	}
	if err := copier.AbortUploads(ctx, a.Bucket, storage.Upload{Key: object.Key()}); err != nil {
		return outcome(ctx, fmt.Errorf("%w: %w", errStorage, err))
	}
	return nil
}
