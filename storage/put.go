package storage

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// settleTimeout bounds the look at what became of a call that failed, and the clean-up: both go on after the caller's
// context is over.
const settleTimeout = 10 * time.Second

// ObjectSpec is an object to store, but for its bytes.
type ObjectSpec struct {
	Key string

	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	// Metadata should have a [MetadataCopyID], by which a copy knows itself again.
	Metadata map[string]string

	// Replaces is the ETag of the object that may be overwritten. If it is empty there must be none.
	Replaces string
}

// conditions are the preconditions under which an object may appear.
func (b *Bucket) conditions(spec ObjectSpec) (ifMatch, ifNoneMatch *string) {
	switch {
	case b.pool.Overwrite:
		return nil, nil
	case spec.Replaces != "":
		return &spec.Replaces, nil
	default:
		return nil, aws.String("*")
	}
}

// Checksum is the pool's.
func (b *Bucket) Checksum() Checksum {
	if b.pool.Checksum == "" {
		return ChecksumCRC64NVME
	}
	return b.pool.Checksum
}

// Put stores a whole object in one request: all of it, verified, or nothing. It fails with [ErrConflict] or
// [ErrMismatch], or with the server's error.
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
	out, err := b.client.PutObject(ctx, put)
	switch {
	case err != nil:
		stored, err := b.settle(ctx, spec, want, err)
		return stored, b.wrapNonNil("put", spec.Key, err)
	case b.Checksum() == ChecksumCRC64NVME && aws.ToString(out.ChecksumCRC64NVME) == sum:
		return Stored{
			Size:       body.Size,
			ETag:       aws.ToString(out.ETag),
			CRC64NVME:  sum,
			Expires:    expiry(out.Expiration, b.now(), b.pool.Lifespan),
			Generation: Generation(spec.Metadata),
			CopyID:     spec.Metadata[MetadataCopyID],
		}, nil
	default:
		// The server did not say that it checked: look at what it has.
		stored, err := b.verify(ctx, spec, want)
		return stored, b.wrapNonNil("put", spec.Key, err)
	}
}

// errUnsettled marks a failure that may have left an object behind.
var errUnsettled = errors.New("what became of it is not known")

// settle finds out what a call did that was to make an object appear and failed: its reply may have been lost. Only if
// it was done is there an object with this copy's id.
func (b *Bucket) settle(ctx context.Context, spec ObjectSpec, want Stored, failure error) (Stored, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	stored, err := b.Head(ctx, spec.Key)
	switch {
	case err == nil && stored.CopyID != "" && stored.CopyID == spec.Metadata[MetadataCopyID]:
		return b.judge(ctx, spec, want, stored)
	case err != nil && !errors.Is(err, ErrNotFound):
		return Stored{}, fmt.Errorf("%w; %w: %w", failure, errUnsettled, err)
	}
	// A server that has no object to replace answers 404.
	if isStatus(failure, http.StatusPreconditionFailed) || hasCode(failure, "PreconditionFailed", "NoSuchKey") {
		failure = fmt.Errorf("%w: %w", ErrConflict, failure)
	}
	return Stored{}, failure
}

// verify compares what the bucket holds with what was sent, and removes it if it differs.
func (b *Bucket) verify(ctx context.Context, spec ObjectSpec, want Stored) (Stored, error) {
	stored, err := b.Head(ctx, spec.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return Stored{}, err
	case err != nil:
		return Stored{}, fmt.Errorf("%w: %w", errUnsettled, err)
	}
	return b.judge(ctx, spec, want, stored)
}

// judge removes an object that was stored as this copy and is not what was sent.
func (b *Bucket) judge(ctx context.Context, spec ObjectSpec, want, stored Stored) (Stored, error) {
	switch {
	case stored.CopyID != "" && stored.CopyID != spec.Metadata[MetadataCopyID]:
		return Stored{}, fmt.Errorf("%w: another copy has replaced this one", ErrConflict)
	case agree(stored, want):
		return stored, nil
	}
	err := fmt.Errorf("%w: sent %s, stored %s", ErrMismatch, describe(want), describe(stored))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return Stored{}, errors.Join(err, b.Delete(ctx, spec.Key))
}

// agree compares an object with what is known of it. A server that shows no checksum has verified it as it came.
func agree(stored, want Stored) bool {
	return stored.Size == want.Size &&
		(want.ETag == "" || stored.ETag == want.ETag) &&
		(want.CRC64NVME == "" || stored.CRC64NVME == "" || stored.CRC64NVME == want.CRC64NVME)
}

func describe(s Stored) string {
	return fmt.Sprintf("%d bytes with CRC64NVME %q and ETag %s", s.Size, s.CRC64NVME, s.ETag)
}

func (b *Bucket) wrapNonNil(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return b.wrap(op, key, err)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
