package storage

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Limits of a multipart upload, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
const (
	MinPartSize = 5 << 20 // bytes, of every part except the last
	MaxPartSize = 5 << 30 // bytes
	MaxParts    = 10_000
)

// PartSize returns the smallest part size, in bytes and at least want, with which an object of size
// bytes fits into 10,000 parts. An object of unknown size (-1) gets want, or the minimum of S3. It
// fails for an object of more than 48.8 TiB, the most that S3 stores.
func PartSize(size, want int64) (int64, error) {
	if size > MaxParts*MaxPartSize {
		return 0, fmt.Errorf("%d bytes are more than S3 stores as one object", size)
	}
	return max(want, MinPartSize, (size+MaxParts-1)/MaxParts), nil
}

// Upload identifies a multipart upload that is neither completed nor aborted.
type Upload struct {
	Key       string
	ID        string
	Initiated time.Time // by the server's clock; zero if unknown
}

// Part is an uploaded part.
type Part struct {
	Number int32 // from 1
	Size   int64 // bytes
	ETag   string
	Sum    string // the pool's checksum, base64; empty if the server does not report it
}

// CreateUpload starts a multipart upload. It fails with the server's error, or with ctx's. If ctx
// ends during the call, it aborts the new upload. The caller completes or aborts the upload.
func (b *Bucket) CreateUpload(ctx context.Context, spec ObjectSpec) (Upload, error) {
	u, err := b.createUpload(ctx, spec, b.Checksum() == ChecksumCRC64NVME)
	if err != nil {
		return Upload{}, b.wrap("create upload of", spec.Key, err)
	}
	return u, nil
}

// createUpload waits up to settleTimeout beyond the end of ctx for the upload's id, and then aborts
// the upload. An upload whose id is lost would stay in the bucket.
func (b *Bucket) createUpload(ctx context.Context, spec ObjectSpec, withCRC bool) (Upload, error) {
	if ctx.Err() != nil {
		return Upload{}, ctx.Err()
	}
	create := &s3.CreateMultipartUploadInput{
		Bucket:             &b.pool.Bucket,
		Key:                &spec.Key,
		ContentType:        optional(spec.ContentType),
		ContentEncoding:    optional(spec.ContentEncoding),
		ContentDisposition: optional(spec.ContentDisposition),
		ContentLanguage:    optional(spec.ContentLanguage),
		Metadata:           spec.Metadata,
	}
	if withCRC {
		create.ChecksumAlgorithm, create.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	longer, cancel := outlive(ctx)
	defer cancel()
	out, err := b.client.CreateMultipartUpload(longer, create)
	if err != nil {
		return Upload{}, err
	}
	u := Upload{Key: spec.Key, ID: aws.ToString(out.UploadId)}
	if ctx.Err() != nil {
		return Upload{}, errors.Join(ctx.Err(), b.AbortUpload(longer, u))
	}
	return u, nil
}

// outlive returns a context that ends settleTimeout after ctx.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(settleTimeout, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

// UploadPart stores a part, numbered from 1, and replaces an earlier part with the same number. The
// server does not store a part whose bytes don't match its checksum. UploadPart fails with
// [ErrNoUpload], or with the server's error.
func (b *Bucket) UploadPart(ctx context.Context, u Upload, number int32, body Body) (Part, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return Part{}, b.wrap("upload part of", u.Key, err)
	}
	sum := base64.StdEncoding.EncodeToString(body.Sum)
	in := &s3.UploadPartInput{
		Bucket:        &b.pool.Bucket,
		Key:           &u.Key,
		UploadId:      &u.ID,
		PartNumber:    &number,
		Body:          body.ReadSeeker,
		ContentLength: &body.Size,
	}
	if b.Checksum() == ChecksumMD5 {
		in.ContentMD5 = &sum
	} else {
		in.ChecksumAlgorithm, in.ChecksumCRC64NVME = types.ChecksumAlgorithmCrc64nvme, &sum
	}
	ctx, cancel := b.within(ctx, body.Size, uploadRate)
	defer cancel()
	out, err := b.client.UploadPart(ctx, in)
	if err != nil {
		return Part{}, b.uploadError(fmt.Sprintf("part %d of", number), u, err)
	}
	return Part{Number: number, Size: body.Size, ETag: aws.ToString(out.ETag), Sum: sum}, nil
}

// ListParts lists the stored parts in the order of their numbers. It fails with [ErrNoUpload], or
// with the server's error.
func (b *Bucket) ListParts(ctx context.Context, u Upload) ([]Part, error) {
	var parts []Part
	pages := s3.NewListPartsPaginator(b.client, &s3.ListPartsInput{Bucket: &b.pool.Bucket, Key: &u.Key, UploadId: &u.ID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, b.uploadError("list parts of", u, err)
		}
		for _, p := range page.Parts {
			part := Part{
				Number: aws.ToInt32(p.PartNumber), Size: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag),
				Sum: aws.ToString(p.ChecksumCRC64NVME),
			}
			if b.Checksum() == ChecksumMD5 {
				part.Sum = sumOfETag(part.ETag)
			}
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// sumOfETag returns the base64 MD5 in a part's ETag, or an empty string if the ETag is not hex.
func sumOfETag(etag string) string {
	sum, err := hex.DecodeString(strings.Trim(etag, `"`))
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// CompleteUpload makes the object visible that consists of the parts. They must be numbered from 1
// without a gap. The server compares the length and checksum of the whole object with ours first.
// Then CompleteUpload compares the stored object once more, which also settles a lost reply. It
// fails with
//   - [ErrNoUpload] or [ErrConflict],
//   - [ErrRejected] or [ErrMismatch], after which it will always fail with these parts,
//   - or the server's error.
//
// The upload may still exist after an error.
func (b *Bucket) CompleteUpload(ctx context.Context, spec ObjectSpec, u Upload, parts []Part) (Stored, error) {
	want, err := b.expected(parts)
	if err != nil {
		return Stored{}, b.wrap("complete upload of", spec.Key, err)
	}
	complete := &s3.CompleteMultipartUploadInput{
		Bucket:          &b.pool.Bucket,
		Key:             &spec.Key,
		UploadId:        &u.ID,
		MpuObjectSize:   &want.Size,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: make([]types.CompletedPart, len(parts))},
	}
	complete.IfMatch, complete.IfNoneMatch = b.conditions(spec)
	for i, p := range parts {
		complete.MultipartUpload.Parts[i] = types.CompletedPart{ETag: &p.ETag, PartNumber: &p.Number}
		if b.Checksum() == ChecksumCRC64NVME {
			complete.MultipartUpload.Parts[i].ChecksumCRC64NVME = &p.Sum
		}
	}
	if b.Checksum() == ChecksumCRC64NVME {
		complete.ChecksumCRC64NVME, complete.ChecksumType = &want.CRC64NVME, types.ChecksumTypeFullObject
	}
	var stored Stored
	if err = b.complete(ctx, complete); err != nil {
		stored, err = b.settle(ctx, spec, want, rejection(err))
	} else {
		stored, err = b.verify(ctx, spec, want)
	}
	if err != nil {
		return Stored{}, b.uploadError("complete", u, err)
	}
	return stored, nil
}

// complete sends the call, for which the server has completeTimeout.
func (b *Bucket) complete(ctx context.Context, in *s3.CompleteMultipartUploadInput) error {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	_, err := b.client.CompleteMultipartUpload(ctx, in, b.patient)
	return err
}

// rejection returns the error of a call that makes an object visible. It is [ErrRejected] if the
// server will never accept the object from these bytes or parts.
func rejection(err error) error {
	if hasCode(err, unrepairable()...) {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return err
}

// unrepairable returns the error codes for bytes or parts that can never become the object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
func unrepairable() []string {
	return []string{
		"BadDigest", "EntityTooLarge", "EntityTooSmall", "InvalidArgument", "InvalidDigest", "InvalidPart", "InvalidPartOrder",
		"InvalidRequest", "MalformedXML", "XAmzContentChecksumMismatch",
	}
}

// expected returns the object that the bucket will hold when the parts are complete.
func (b *Bucket) expected(parts []Part) (Stored, error) {
	var want Stored
	for i, p := range parts {
		if int(p.Number) != i+1 {
			return Stored{}, fmt.Errorf("part %d is missing", i+1)
		}
		want.Size += p.Size
	}
	sum, err := b.Checksum().fullSum(parts)
	if err != nil {
		return Stored{}, err
	}
	if b.Checksum() == ChecksumMD5 {
		want.ETag = sum
	} else {
		want.CRC64NVME = sum
	}
	return want, nil
}

// abortTries is the limit of aborts of one upload.
const abortTries = 3

// AbortUpload deletes the upload and its parts. A missing upload is not an error. A part in flight
// may keep the upload alive
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html), so AbortUpload
// aborts up to 3 times and lists the parts after each. It fails with the server's error, or if the
// upload still exists after that.
func (b *Bucket) AbortUpload(ctx context.Context, u Upload) error {
	for range abortTries {
		_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket:   &b.pool.Bucket,
			Key:      &u.Key,
			UploadId: &u.ID,
		})
		if err != nil && !isStatus(err, http.StatusNotFound) {
			return b.wrap("abort upload of", u.Key, err)
		}
		if _, err := b.ListParts(ctx, u); errors.Is(err, ErrNoUpload) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return b.wrap("abort upload of", u.Key, fmt.Errorf("upload still exists after %d aborts", abortTries))
}

// ListUploads lists the uploads of all keys with the prefix. Some servers list only the uploads of
// the key that equals the prefix, unless the prefix is empty.
func (b *Bucket) ListUploads(ctx context.Context, prefix string) ([]Upload, error) {
	var uploads []Upload
	pages := s3.NewListMultipartUploadsPaginator(b.client,
		&s3.ListMultipartUploadsInput{Bucket: &b.pool.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, b.wrap("list uploads of", prefix+"*", err)
		}
		for _, u := range page.Uploads {
			uploads = append(uploads, Upload{
				Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId), Initiated: aws.ToTime(u.Initiated),
			})
		}
	}
	return uploads, nil
}

func (b *Bucket) uploadError(op string, u Upload, err error) error {
	if hasCode(err, "NoSuchUpload") {
		err = fmt.Errorf("%w: %w", ErrNoUpload, err)
	}
	return b.wrap(op, u.Key, err)
}
