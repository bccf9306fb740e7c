package copier

import (
	"context"
	"encoding/base64"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// copySmall reads the object by one request and stores it by another.
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

// check compares a whole object with its digests.
func (r *run) check(buf *buffer) error {
	if err := buf.copyTo(r.verifier); err != nil {
		return err
	}
	return r.verify()
}

// put stores a whole object, with its checksum in the metadata. A multipart copy can't carry its
// checksum there: it is known only after the metadata is fixed. The server shows it instead.
func (r *run) put(ctx context.Context, body storage.Body) (err error) {
	bucket := r.copier.Bucket
	r.mark(metadataChecksum+string(bucket.Checksum()), base64.StdEncoding.EncodeToString(body.Sum))
	r.result.Stored, err = bucket.Put(ctx, r.spec, body)
	r.job.Counters.Stored.Store(r.result.Size)
	return bucketError(err)
}
