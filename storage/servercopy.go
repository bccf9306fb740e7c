package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// maxCopyObject is the limit of CopyObject, in bytes
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
	maxCopyObject = 5 << 30
	// copyPart is the size of an UploadPartCopy, in bytes. Objects above 4.88 TiB get larger parts
	// (see [PartSize]). It is small enough that several are in flight.
	copyPart = 512 << 20
	// copiesInFlight is the limit of concurrent UploadPartCopy calls of one copy.
	copiesInFlight = 8
	// splitPart is the size of an UploadPartCopy, in bytes, after CopyObject failed without an answer.
	// Smaller objects are streamed instead.
	splitPart = 64 << 20
)

// ErrNotCopied is returned if the server can't copy a source by itself: the credentials can't read
// the source, the source has changed, or the server lacks the call. Nothing is left behind. The
// caller streams the bytes instead.
var ErrNotCopied = errors.New("not copied by the server")

// CopyFrom has the server copy the source by itself. It fails with
//   - [ErrNotCopied] if streaming may succeed,
//   - [ErrConflict] if streaming would fail too,
//   - ctx's error,
//   - or the server's error if the outcome is unknown, in which case the object may exist.
//
// A copy in one call has a time-out that grows with the size. If the call is not answered, CopyFrom
// copies the object in parts.
//
// If the object is copied in parts, CopyFrom calls copied for each, with the bytes of the part. The
// calls are concurrent.
func (b *Bucket) CopyFrom(ctx context.Context, spec ObjectSpec, src CopySource, copied func(bytes int64)) (Stored, error) {
	stored, err := b.copyFrom(ctx, spec, src, copied)
	if errors.Is(err, ErrConflict) {
		// The server does not say which of the two objects failed its condition.
		if _, changed := b.headSource(ctx, src); changed != nil {
			err = changed
		}
	}
	switch {
	case err == nil:
		return stored, nil
	case ctx.Err() == nil && !errors.Is(err, ErrConflict) && !errors.Is(err, errUnsettled):
		err = fmt.Errorf("%w: %w", ErrNotCopied, err)
	}
	return Stored{}, b.wrap("copy to", spec.Key, err)
}

func (b *Bucket) copyFrom(ctx context.Context, spec ObjectSpec, src CopySource, copied func(int64)) (Stored, error) {
	want, err := b.headSource(ctx, src)
	if err != nil {
		return Stored{}, err
	}
	if err := b.admits(ctx, spec); err != nil {
		return b.settle(ctx, spec, want, err)
	}
	if src.Size <= b.copyLimit {
		if err = b.copyObject(ctx, spec, src, want); err == nil {
			return b.verify(ctx, spec, want)
		}
		stored, err := b.settle(ctx, spec, want, err)
		if err == nil || src.Size <= b.splitPart || ctx.Err() != nil || !unanswered(err) {
			return stored, err
		}
	}
	if err = b.copyParts(ctx, spec, src, copied); err != nil {
		return b.settle(ctx, spec, want, err)
	}
	return b.verify(ctx, spec, want)
}

// unanswered reports whether a server, or a proxy before it, gave up on a copy that took too long.
// Calls for parts take less time.
func unanswered(err error) bool {
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrMismatch) || errors.Is(err, errUnsettled) {
		return false
	}
	status := statusOf(err)
	return status == 0 || status >= 500 && status != http.StatusNotImplemented ||
		hasCode(err, "InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown")
}

// admits HEADs the destination to check the preconditions. AWS checks them itself. Versitygw 1.8.0
// and MinIO of 2026-02 ignore the preconditions of CopyObject, so they overwrite an object stored
// after this HEAD. They do keep the condition on the source: the new object has the source's
// content at that moment, never earlier content.
func (b *Bucket) admits(ctx context.Context, spec ObjectSpec) error {
	if b.pool.Overwrite {
		return nil
	}
	stored, err := b.Head(ctx, spec.Key)
	switch {
	case errors.Is(err, ErrNotFound) && spec.Replaces == "", err == nil && stored.ETag == spec.Replaces:
		return nil
	case err == nil || errors.Is(err, ErrNotFound):
		return ErrConflict
	}
	return err
}

// headSource checks that the credentials can read the source, and that it has the expected size and
// ETag.
func (b *Bucket) headSource(ctx context.Context, src CopySource) (Stored, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &src.Bucket, Key: &src.Key, ChecksumMode: types.ChecksumModeEnabled, IfMatch: optional(src.ETag),
	}, func(o *s3.Options) {
		if src.Region != "" {
			o.Region = src.Region
		}
	})
	switch {
	case ctx.Err() != nil:
		return Stored{}, ctx.Err()
	case err != nil:
		return Stored{}, fmt.Errorf("head source: %w", err)
	case aws.ToInt64(out.ContentLength) != src.Size || aws.ToString(out.ETag) != src.ETag:
		return Stored{}, errors.New("source changed (size or ETag differs)")
	}
	want := Stored{Size: src.Size}
	if out.ChecksumType != types.ChecksumTypeComposite {
		want.CRC64NVME = aws.ToString(out.ChecksumCRC64NVME)
	}
	return want, nil
}

func (b *Bucket) copyObject(ctx context.Context, spec ObjectSpec, src CopySource, want Stored) error {
	copyIn := &s3.CopyObjectInput{
		Bucket:             &b.pool.Bucket,
		Key:                &spec.Key,
		CopySource:         aws.String(src.header()),
		CopySourceIfMatch:  &src.ETag,
		MetadataDirective:  types.MetadataDirectiveReplace,
		TaggingDirective:   types.TaggingDirectiveReplace, // copying tags takes another permission
		ContentType:        optional(spec.ContentType),
		ContentEncoding:    optional(spec.ContentEncoding),
		ContentDisposition: optional(spec.ContentDisposition),
		ContentLanguage:    optional(spec.ContentLanguage),
		Metadata:           spec.Metadata,

		ExpectedSourceBucketOwner: b.pool.owner(src.Bucket),
	}
	// Versitygw 1.8.0 gives a copy onto itself a wrong checksum if the object had none.
	itself := src.Bucket == b.pool.Bucket && src.Key == spec.Key
	if b.Checksum() == ChecksumCRC64NVME && (!itself || want.CRC64NVME != "") {
		copyIn.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
	}
	copyIn.IfMatch, copyIn.IfNoneMatch = b.conditions(spec)
	ctx, cancel := b.within(ctx, src.Size, copyRate)
	defer cancel()
	_, err := b.client.CopyObject(ctx, copyIn, b.patient)
	return err
}

// copyParts copies the source in parts. It names no checksum algorithm, because servers can't
// report the checksum of a copied part. A server that keeps checksums then computes that of the
// whole object.
func (b *Bucket) copyParts(ctx context.Context, spec ObjectSpec, src CopySource, copied func(int64)) (err error) {
	u, err := b.createUpload(ctx, spec, false)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
			defer cancel()
			err = errors.Join(err, b.AbortUpload(ctx, u))
		}
	}()
	parts, err := b.copyAll(ctx, u, src, copied)
	if err != nil {
		return err
	}
	complete := &s3.CompleteMultipartUploadInput{
		Bucket:          &b.pool.Bucket,
		Key:             &spec.Key,
		UploadId:        &u.ID,
		MpuObjectSize:   &src.Size,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	complete.IfMatch, complete.IfNoneMatch = b.conditions(spec)
	return b.complete(ctx, complete)
}

func (b *Bucket) copyAll(ctx context.Context, u Upload, src CopySource, copied func(int64)) ([]types.CompletedPart, error) {
	want := b.splitPart
	if src.Size > b.copyLimit {
		want = min(copyPart, b.copyLimit)
	}
	size, err := PartSize(src.Size, want)
	if err != nil {
		return nil, err
	}
	parts := make([]types.CompletedPart, (src.Size+size-1)/size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesInFlight)
	for i := range parts {
		group.Go(func() error {
			number, first := int32(i)+1, int64(i)*size //nolint:gosec // at most 10,000 parts
			end := min(first+size, src.Size)
			ctx, cancel := b.within(ctx, end-first, partCopyRate)
			defer cancel()
			out, err := b.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
				Bucket:            &b.pool.Bucket,
				Key:               &u.Key,
				UploadId:          &u.ID,
				PartNumber:        &number,
				CopySource:        aws.String(src.header()),
				CopySourceIfMatch: &src.ETag,
				CopySourceRange:   aws.String(fmt.Sprintf("bytes=%d-%d", first, end-1)),

				ExpectedSourceBucketOwner: b.pool.owner(src.Bucket),
			}, b.patient)
			switch {
			case err != nil:
				return fmt.Errorf("part %d: %w", number, err)
			case out.CopyPartResult == nil:
				return fmt.Errorf("part %d: the server's reply has no result", number)
			}
			parts[i] = types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: &number}
			copied(end - first)
			return nil
		})
	}
	return parts, group.Wait()
}
