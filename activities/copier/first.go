package copier

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// copyFirst sends the first request, a plain GET. It copies a small object, and describes a
// large object. It reports the size of an object below the job's minimum, and reads no body unless
// the size is unknown.
func (r *run) copyFirst(ctx context.Context) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	// Wait behind other copies from this host before the request: its response would be for nothing.
	if err := r.pass(ctx); err != nil {
		return err
	}
	src, err := r.open(ctx, func(ctx context.Context) (*origin.Body, error) {
		return r.copier.Source.First(ctx, r.job.URL)
	})
	if err != nil {
		return err
	}
	defer src.Close()
	if err := r.describe(src.Meta()); err != nil {
		return err
	}
	if size := src.Size(); tooSmall(size, r.job.MinSize) {
		r.result.TooSmall = &size
		return nil
	}
	if src.Size() > Small {
		r.result.Large = &r.meta
		return nil
	}
	if copied, err := r.copyByServer(ctx); copied || err != nil {
		return err
	}
	return r.copySmall(ctx, cut, src)
}

// copySmall stores a small object by one request. An object of unknown length is described as a
// large object unless it ends soon.
func (r *run) copySmall(ctx context.Context, cut context.CancelCauseFunc, src *origin.Body) error {
	size := src.Size()
	if size < 0 {
		size = firstBytes
	}
	buf, err := r.newBuffer(ctx, r.copier.SmallMemory, size)
	if err != nil {
		return err
	}
	defer buf.release()
	if err := r.takeSlot(ctx); err != nil {
		return err
	}
	body, err := r.fill(ctx, cut, buf, src, src)
	if errors.Is(err, errMore) && src.Size() < 0 {
		r.result.Large = &r.meta
		return nil
	}
	if err == nil {
		err = r.limit(body.Size)
	}
	if err == nil {
		r.verify() // The body itself checks the source's own digests
		err = buf.copyTo(r.verifier)
	}
	if err != nil {
		return err
	}
	if tooSmall(body.Size, r.job.MinSize) {
		r.result.TooSmall = &body.Size
		return nil
	}
	_ = src.Close() // A slow bucket must not keep the source's connections.
	r.result.Way = WayRequest
	r.markUnframed(src)
	return r.put(ctx, body)
}

// pass waits while copies from the same host wait for memory or a slot.
func (r *run) pass(ctx context.Context) error {
	r.job.Counters.Waiting.Add(1)
	defer r.job.Counters.Waiting.Add(-1)
	if err := r.copier.SmallMemory.pass(ctx, r.claim); err != nil {
		return err
	}
	if _, err := r.copier.Slots.Take(ctx, r.claim, 0); err != nil {
		return fmt.Errorf("wait for a slot: %w", err)
	}
	return nil
}

// put stores a whole object, with its digests in the metadata. A multipart copy can't carry those that
// are known only after its metadata is fixed. The server shows its checksum instead, and the cache its
// SHA-256.
func (r *run) put(ctx context.Context, body storage.Body) (err error) {
	bucket := r.copier.Bucket
	r.mark(metadataChecksum+string(bucket.Checksum()), base64.StdEncoding.EncodeToString(body.Sum))
	if sum := r.sha256(); sum != "" {
		r.mark(storage.MetadataSHA256, sum)
	}
	r.result.Stored, err = bucket.Put(ctx, r.spec, body)
	r.job.Counters.Stored.Store(r.result.Size)
	return bucketError(err)
}
