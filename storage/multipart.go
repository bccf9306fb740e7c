package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
	"golang.org/x/sync/errgroup"
)

// Limits of a multipart upload, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
const (
	MinPartSize = 5 << 20 // bytes, of every part but the last
	maxPartSize = 5 << 30 // bytes
	maxParts    = 10_000
)

const (
	// partsInFlight bounds the memory of one upload: that many parts and one more are in memory at most.
	partsInFlight = 4
	// abortTimeout bounds the clean-up that goes on after the caller's context is over.
	abortTimeout = 10 * time.Second
)

// planPartSize is the smallest part size, at least want, with which an object of size bytes fits into 10,000 parts.
// An object of unknown size gets want.
func planPartSize(size, want int64) (int64, error) {
	part := max(want, MinPartSize, (size+maxParts-1)/maxParts)
	if part > maxPartSize {
		return 0, fmt.Errorf("%d bytes are more than S3 stores as one object", size)
	}
	return part, nil
}

// upload is one multipart upload under way.
type upload struct {
	b     *Bucket
	in    UploadInput
	id    string
	limit int64 // bytes a part

	crc    uint64 // of all bytes read
	read   int64
	stored atomic.Int64

	mu    sync.Mutex
	parts []types.CompletedPart // by part number less one
}

func (b *Bucket) uploadParts(ctx context.Context, in UploadInput, partSize int64) (_ Stored, err error) {
	first := b.parts.get(partSize)
	n, err := io.ReadFull(in.Body, first)
	if in.Size < 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		// It turned out to fit one part.
		defer b.parts.put(first)
		return b.put(ctx, in, first[:n])
	}
	if err != nil {
		b.parts.put(first)
		return Stored{}, short(err, int64(n), in.Size)
	}

	u := &upload{b: b, in: in, limit: partSize}
	if err := u.create(ctx); err != nil {
		b.parts.put(first)
		return Stored{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, u.abort(ctx))
		}
	}()
	if err := u.sendAll(ctx, first); err != nil {
		return Stored{}, err
	}
	return u.complete(ctx)
}

func (u *upload) create(ctx context.Context) error {
	out, err := u.b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:             &u.b.pool.Bucket,
		Key:                &u.in.Key,
		ChecksumAlgorithm:  types.ChecksumAlgorithmCrc64nvme,
		ChecksumType:       types.ChecksumTypeFullObject,
		ContentType:        optional(u.in.ContentType),
		ContentEncoding:    optional(u.in.ContentEncoding),
		ContentDisposition: optional(u.in.ContentDisposition),
		ContentLanguage:    optional(u.in.ContentLanguage),
		Metadata:           u.in.Metadata,
	})
	if err != nil {
		return fmt.Errorf("create multipart upload: %w", err)
	}
	u.id = aws.ToString(out.UploadId)
	return nil
}

// sendAll reads the body to its end, part by part, while earlier parts are on their way. buf is the first part, already
// read.
func (u *upload) sendAll(ctx context.Context, buf []byte) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partsInFlight)
	var readErr error
	for len(buf) > 0 && readErr == nil {
		part, number := buf, u.count(buf)
		group.Go(func() error { return u.send(ctx, number, part) })
		if readErr = ctx.Err(); readErr == nil {
			buf, readErr = u.next()
		}
	}
	err := group.Wait()
	// A part that fails cancels ctx and so stops the reading: then the part's error is the cause.
	if readErr != nil && (err == nil || !errors.Is(readErr, context.Canceled)) {
		return readErr
	}
	return err
}

// count takes the part into the totals and returns its number, from 1.
func (u *upload) count(part []byte) int32 {
	u.read += int64(len(part))
	u.crc = crc64nvme.Update(u.crc, part)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts = append(u.parts, types.CompletedPart{})
	return int32(len(u.parts)) //nolint:gosec // next refuses to go beyond maxParts
}

// next reads the next part; an empty one is the end of a body that was as long as declared.
func (u *upload) next() ([]byte, error) {
	size := u.limit
	if u.in.Size >= 0 {
		size = min(size, u.in.Size-u.read)
		if size == 0 {
			return nil, expectEnd(u.in.Body)
		}
	}
	buf := u.b.parts.get(size)
	n, err := io.ReadFull(u.in.Body, buf)
	if u.in.Size < 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = nil
	}
	if err != nil {
		u.b.parts.put(buf)
		return nil, short(err, u.read+int64(n), u.in.Size)
	}
	if n > 0 && len(u.parts) == maxParts {
		return nil, fmt.Errorf("the source sent more than %d parts of %d bytes", maxParts, u.limit)
	}
	return buf[:n], nil
}

func (u *upload) send(ctx context.Context, number int32, part []byte) error {
	defer u.b.parts.put(part)
	sum := encodeCRC(crc64nvme.Checksum(part))
	out, err := u.b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:            &u.b.pool.Bucket,
		Key:               &u.in.Key,
		UploadId:          &u.id,
		PartNumber:        &number,
		Body:              bytes.NewReader(part),
		ContentLength:     aws.Int64(int64(len(part))),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
		ChecksumCRC64NVME: &sum,
	})
	if err != nil {
		return fmt.Errorf("part %d: %w", number, err)
	}
	u.mu.Lock()
	u.parts[number-1] = types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumCRC64NVME: &sum}
	u.mu.Unlock()
	if stored := u.stored.Add(int64(len(part))); u.in.Progress != nil {
		u.in.Progress(stored)
	}
	return nil
}

// complete makes the object appear. The server compares the whole object's length and checksum with ours before it
// does; what it then holds is compared once more, which also settles a reply that got lost.
func (u *upload) complete(ctx context.Context) (Stored, error) {
	sum := encodeCRC(u.crc)
	_, completeErr := u.b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket:            &u.b.pool.Bucket,
		Key:               &u.in.Key,
		UploadId:          &u.id,
		ChecksumCRC64NVME: &sum,
		ChecksumType:      types.ChecksumTypeFullObject,
		MpuObjectSize:     &u.read,
		MultipartUpload:   &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if completeErr != nil {
		// Only if it was done is there an object with this upload's metadata; an older copy has other ones.
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		stored, err := u.b.Head(settle, u.in.Key)
		if err == nil && stored.Size == u.read && stored.CRC64NVME == sum && maps.Equal(stored.metadata, u.in.Metadata) {
			return stored, nil
		}
		return Stored{}, fmt.Errorf("complete multipart upload: %w", completeErr)
	}
	return u.b.verify(ctx, u.in.Key, u.read, sum)
}

// abort frees the parts. It is needed most when the caller's context is over.
func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := u.b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket:   &u.b.pool.Bucket,
		Key:      &u.in.Key,
		UploadId: &u.id,
	})
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return fmt.Errorf("abort multipart upload: %w", err)
	}
	return nil
}

// short says how much of a body came, where that is what went wrong.
func short(err error, got, want int64) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %d of %d bytes came", ErrMismatch, got, want)
	}
	return err
}

// UploadMemory is how much memory [Bucket.Upload] takes for an object of size bytes (-1 if unknown), in bytes.
func UploadMemory(size, partSize int64) int64 {
	part, err := planPartSize(size, partSize)
	if err != nil || size > part || size < 0 {
		return (partsInFlight + 1) * max(part, partSize)
	}
	return size
}
