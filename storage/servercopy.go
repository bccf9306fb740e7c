package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// maxCopyObject is the most that CopyObject copies, in bytes
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
	maxCopyObject = 5 << 30
	// copyPart is what UploadPartCopy copies at a time, in bytes: enough that a 48.8 TiB object fits, and little enough that
	// several are under way.
	copyPart = 512 << 20
	// copiesInFlight is how many of them are.
	copiesInFlight = 8
)

// ErrNotCopied is returned if the server can't copy a source by itself: the credentials can't read it, or it is not what
// it was, or the server has no such call. Nothing is left behind; the bytes have to be streamed.
var ErrNotCopied = errors.New("not copied by the server")

// CopyFrom has the server copy the source by itself. It fails with [ErrNotCopied] where streaming may do better, and with
// [ErrConflict] where it would not. copied is told how many bytes the server has copied since the last time, from many
// goroutines.
func (b *Bucket) CopyFrom(ctx context.Context, spec ObjectSpec, src CopySource, copied func(bytes int64)) (Stored, error) {
	stored, err := b.copyFrom(ctx, spec, src, copied)
	if errors.Is(err, ErrConflict) {
		// Which of the two objects does not meet its condition the server does not say.
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
	if err = b.admits(ctx, spec); err == nil {
		if src.Size <= b.copyLimit {
			err = b.copyObject(ctx, spec, src)
		} else {
			err = b.copyParts(ctx, spec, src, copied)
		}
	}
	if err != nil {
		return b.settle(ctx, spec, want, err)
	}
	return b.verify(ctx, spec, want)
}

// admits looks whether the object may appear. AWS sees to that itself, but versitygw 1.8.0 and MinIO of 2026-02 ignore the
// conditions of CopyObject, so that what appears after this look is overwritten there. They do keep the condition on the
// source: what is put in its place is what the source is at that moment, never an older one.
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

// headSource makes sure that the credentials can read the source, and that it is the one that is meant.
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
		return Stored{}, fmt.Errorf("look at the source: %w", err)
	case aws.ToInt64(out.ContentLength) != src.Size || aws.ToString(out.ETag) != src.ETag:
		return Stored{}, errors.New("the source is another one")
	}
	want := Stored{Size: src.Size}
	if out.ChecksumType != types.ChecksumTypeComposite {
		want.CRC64NVME = aws.ToString(out.ChecksumCRC64NVME)
	}
	return want, nil
}

func (b *Bucket) copyObject(ctx context.Context, spec ObjectSpec, src CopySource) error {
	copyIn := &s3.CopyObjectInput{
		Bucket:             &b.pool.Bucket,
		Key:                &spec.Key,
		CopySource:         aws.String(src.header()),
		CopySourceIfMatch:  &src.ETag,
		MetadataDirective:  types.MetadataDirectiveReplace,
		TaggingDirective:   types.TaggingDirectiveReplace, // else it would take another permission to read them
		ContentType:        optional(spec.ContentType),
		ContentEncoding:    optional(spec.ContentEncoding),
		ContentDisposition: optional(spec.ContentDisposition),
		ContentLanguage:    optional(spec.ContentLanguage),
		Metadata:           spec.Metadata,
	}
	if b.Checksum() == ChecksumCRC64NVME {
		copyIn.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
	}
	copyIn.IfMatch, copyIn.IfNoneMatch = b.conditions(spec)
	_, err := b.client.CopyObject(ctx, copyIn)
	return err
}

// copyParts names no checksum algorithm: servers can't tell a copied part's. One that keeps checksums then computes the
// whole object's.
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
	_, err = b.client.CompleteMultipartUpload(ctx, complete)
	return err
}

func (b *Bucket) copyAll(ctx context.Context, u Upload, src CopySource, copied func(int64)) ([]types.CompletedPart, error) {
	size, err := PartSize(src.Size, min(copyPart, b.copyLimit))
	if err != nil {
		return nil, err
	}
	parts := make([]types.CompletedPart, (src.Size+size-1)/size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesInFlight)
	for i := range parts {
		group.Go(func() error {
			number, first := int32(i)+1, int64(i)*size //nolint:gosec // there are 10,000 at most
			end := min(first+size, src.Size)
			out, err := b.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
				Bucket:            &b.pool.Bucket,
				Key:               &u.Key,
				UploadId:          &u.ID,
				PartNumber:        &number,
				CopySource:        aws.String(src.header()),
				CopySourceIfMatch: &src.ETag,
				CopySourceRange:   aws.String(fmt.Sprintf("bytes=%d-%d", first, end-1)),
			})
			switch {
			case err != nil:
				return fmt.Errorf("part %d: %w", number, err)
			case out.CopyPartResult == nil:
				return fmt.Errorf("part %d: the server does not say that it copied it", number)
			}
			parts[i] = types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: &number}
			copied(end - first)
			return nil
		})
	}
	return parts, group.Wait()
}
