package storage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrUnsupported is returned if the server refuses to copy an object onto itself, now and always.
var ErrUnsupported = errors.New("the server can't copy the object onto itself")

// Refresh has the server copy the object with the given ETag onto itself, so that a lifecycle rule
// counts its age from now on. The object keeps its bytes, headers and user metadata, except that
// its id is now copyID. Its ETag may change. Refresh fails with
//   - [ErrNotFound] or [ErrConflict] if the bucket no longer has that object,
//   - [ErrUnsupported] if the server lacks the call,
//   - [ErrMismatch] after the server stored other bytes, which are deleted,
//   - ctx's error, or the server's.
//
// The former object stays, except after ErrMismatch. Refresh calls copied as
// [Bucket.CopyFrom] does.
func (b *Bucket) Refresh(ctx context.Context, key, etag, copyID string, copied func(bytes int64)) (Stored, error) {
	old, metadata, err := b.HeadMetadata(ctx, key)
	if err != nil {
		return Stored{}, err
	}
	if old.ETag != etag {
		return Stored{}, b.wrap("refresh", key, ErrConflict)
	}
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[MetadataCopyID] = copyID
	stored, err := b.copyOnto(ctx, ObjectSpec{
		Key:                key,
		ContentType:        old.Headers.ContentType,
		ContentEncoding:    old.Headers.ContentEncoding,
		ContentDisposition: old.Headers.ContentDisposition,
		ContentLanguage:    old.Headers.ContentLanguage,
		Metadata:           metadata,
		Replaces:           etag,
	}, old, copied)
	switch {
	case err == nil:
		return stored, nil
	case errors.Is(err, ErrMismatch):
	case errors.Is(err, ErrNotCopied) && b.replaced(ctx, key, etag):
		err = errors.Join(ErrConflict, err)
	case refusesCopies(err):
		err = errors.Join(ErrUnsupported, err)
	}
	return Stored{}, b.wrap("refresh", key, err)
}

// renewAfter is the age from which a copy onto itself must change an object's time, which servers
// report in whole seconds.
const renewAfter = 3 * time.Second

// copyOnto copies the object old onto itself. Versitygw 1.8.0 changes only the metadata then, and
// not the object's time. Such an object is copied in parts.
func (b *Bucket) copyOnto(ctx context.Context, spec ObjectSpec, old Stored, copied func(int64)) (Stored, error) {
	src := CopySource{Bucket: b.pool.Bucket, Key: spec.Key, Region: b.pool.Region, ETag: old.ETag, Size: old.Size}
	stored, err := b.CopyFrom(ctx, spec, src, copied)
	if err != nil || old.Size == 0 || b.now().Sub(old.Headers.LastModified) < renewAfter ||
		stored.Headers.LastModified.After(old.Headers.LastModified) {
		return stored, err
	}
	src.ETag, spec.Replaces = stored.ETag, stored.ETag
	if err := b.copyParts(ctx, spec, src, copied); err != nil {
		return Stored{}, fmt.Errorf("%w: %w", ErrNotCopied, err)
	}
	return b.verify(ctx, spec, Stored{Size: old.Size, CRC64NVME: old.CRC64NVME})
}

// replaced reports whether the bucket lacks the object with the ETag: it has another, or none.
func (b *Bucket) replaced(ctx context.Context, key, etag string) bool {
	now, err := b.Head(ctx, key)
	return errors.Is(err, ErrNotFound) || err == nil && now.ETag != etag
}

// refusesCopies reports whether a server refused a copy for a reason that stays. InvalidObjectState
// is the answer for archived objects
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
func refusesCopies(err error) bool {
	return isNotImplemented(err) || hasCode(err, "InvalidArgument", "InvalidObjectState", "InvalidRequest")
}
