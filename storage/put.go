package storage

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Put stores a whole object in one request: completely and verified, or not at all. It settles a
// lost reply with a HEAD. It fails with [ErrConflict], [ErrMismatch] or [ErrRejected], or with the
// server's error. If the HEAD fails too, the object may exist after the error.
func (b *Bucket) Put(ctx context.Context, spec ObjectSpec, body Body) (Stored, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return Stored{}, b.wrap("put", spec.Key, err)
	}
	put := &s3.PutObjectInput{
		Bucket:             &b.pool.Bucket,
		Key:                &spec.Key,
		Body:               body.ReadSeeker,
		ContentLength:      &body.Size,
		ContentType:        optional(spec.ContentType),
		ContentEncoding:    optional(spec.ContentEncoding),
		ContentDisposition: optional(spec.ContentDisposition),
		ContentLanguage:    optional(spec.ContentLanguage),
		Metadata:           spec.Metadata,
	}
	put.IfMatch, put.IfNoneMatch = b.conditions(spec)
	sum := base64.StdEncoding.EncodeToString(body.Sum)
	want := Stored{Size: body.Size, CRC64NVME: sum}
	if b.Checksum() == ChecksumMD5 {
		put.ContentMD5 = &sum
		want = Stored{Size: body.Size, ETag: `"` + hex.EncodeToString(body.Sum) + `"`}
	} else {
		put.ChecksumCRC64NVME = &sum
	}
	sending, cancel := b.within(ctx, body.Size, uploadRate)
	defer cancel()
	out, err := b.client.PutObject(sending, put)
	switch {
	case err != nil:
		stored, err := b.settle(ctx, spec, want, rejection(err))
		return stored, b.wrapNonNil("put", spec.Key, err)
	case b.Checksum() == ChecksumCRC64NVME && aws.ToString(out.ChecksumCRC64NVME) == sum:
		return Stored{
			Size:       body.Size,
			ETag:       aws.ToString(out.ETag),
			CRC64NVME:  sum,
			Expires:    expiry(out.Expiration, b.now(), b.pool.Lifespan),
			Generation: Generation(spec.Metadata),
			CopyID:     spec.Metadata[MetadataCopyID],
			SHA256:     SHA256(spec.Metadata),
		}, nil
	default:
		// The server's reply does not show that it verified the checksum: HEAD the object.
		stored, err := b.verify(ctx, spec, want)
		return stored, b.wrapNonNil("put", spec.Key, err)
	}
}
