package copier

import (
	"context"
	"encoding/base64"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// copySmall copies an object in one request.
func (r *run) copySmall(ctx context.Context) error {
	r.result.Way = WayRequest
	buf, err := r.newBuffer(ctx, r.copier.SmallMemory, r.job.Meta.Size)
	if err != nil {
		return err
	}
	defer buf.release()
	body, err := r.fill(ctx, buf, func(ctx context.Context) (*origin.Body, error) {
		return r.copier.Source.Get(ctx, r.job.URL, r.job.Meta)
	})
	if err == nil {
		err = r.check(buf)
	}
	if err != nil {
		return err
	}
	return r.put(ctx, body)
}

// check hashes a whole object.
func (r *run) check(buf *buffer) error {
	if err := buf.copyTo(r.verifier); err != nil {
		return err
	}
	return r.verify()
}

// put stores a whole object. Of one that comes in parts the checksum is known when its metadata can't be changed any more:
// there the server shows it.
func (r *run) put(ctx context.Context, body storage.Body) (err error) {
	bucket := r.copier.Bucket
	r.mark(metadataChecksum+string(bucket.Checksum()), base64.StdEncoding.EncodeToString(body.Sum))
	r.result.Stored, err = bucket.Put(ctx, r.spec, body)
	r.job.Counters.Stored.Store(r.result.Size)
	return bucketError(err)
}
