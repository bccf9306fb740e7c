package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/cloud-mirror/cloud-mirror/storage/awsbody"
)

// Sentinels of this package.
var (
	// ErrNotFound is returned if the bucket does not have the object.
	ErrNotFound = errors.New("no such object in the bucket")
	// ErrNoUpload is returned if a multipart upload was completed, was aborted, or never existed.
	ErrNoUpload = errors.New("no such upload in the bucket")
	// ErrConflict is returned if the bucket holds another object than [ObjectSpec.Replaces] allows.
	ErrConflict = errors.New("the bucket holds another object")
	// ErrMismatch is returned if the stored object differs from the sent one. The stored object is
	// deleted first. If that fails, its error is joined.
	ErrMismatch = errors.New("stored object differs from the sent one")
	// ErrRejected is returned if the server rejects a complete object, or its parts.
	ErrRejected = errors.New("the server rejects the object")
)

// User metadata that this package reads.
const (
	MetadataGeneration = "cloud-mirror-generation" // carries [Stored.Generation]
	MetadataCopyID     = "cloud-mirror-copy-id"    // carries [Stored.CopyID]
	MetadataSHA256     = "cloud-mirror-sha256"     // carries [Stored.SHA256]
)

// Stored describes a copy in a bucket, as a HEAD reports it.
type Stored struct {
	Size int64 // bytes
	ETag string
	// CRC64NVME is the checksum of the full object, base64 as in x-amz-checksum-crc64nvme. It is
	// empty if the server keeps none.
	CRC64NVME string
	// Headers are the headers that a GET of the copy has, besides Content-Length and ETag. A call
	// that stores an object without a HEAD leaves them empty.
	Headers Headers
	// Expires is when the bucket deletes the copy, zero if it never does.
	Expires time.Time
	// Generation is the purge generation under which the copy started (see cache.Redis.Generation).
	// It is 0 if the copy has none.
	Generation int64
	// SHA256 is the copy's SHA-256 in lower-case hex. It is empty if it was not known when the copy was
	// started.
	SHA256 string
	// CopyID identifies the copy, so that a retry recognises an object it stored itself. It is
	// empty if the copy has none.
	CopyID string
}

// Headers are the headers of a copy. An empty one is not sent.
type Headers struct {
	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	LastModified       time.Time // When the copy was stored.
}

// Bucket is one pool's bucket. It is safe for concurrent use.
type Bucket struct {
	cfg     aws.Config
	pool    Pool
	client  *s3.Client
	presign *s3.PresignClient
	// anyOwner is the client without Pool.Owners. Presigned URLs can't carry the header of an
	// owner: clients would have to send it.
	anyOwner *s3.Client
	creds    aws.CredentialsProvider
	now      func() time.Time
	// copyLimit is maxCopyObject, except in tests.
	copyLimit int64
	// fixedTimeout and splitPart are the constants of those names, except in tests.
	fixedTimeout time.Duration
	splitPart    int64
	// unlimited is the client for calls without Pool.HeaderTimeout.
	unlimited aws.HTTPClient
	// forHead changes the client's options for a HEAD.
	forHead []func(*s3.Options)
}

// Open returns the pool's bucket. It does no I/O.
func Open(cfg aws.Config, pool Pool) *Bucket {
	anyOwner := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.HTTPClient = withHeaderTimeout(o.HTTPClient, pool.HeaderTimeout)
		o.Region = pool.Region
		o.UsePathStyle = pool.PathStyle
		if pool.Endpoint != "" {
			o.BaseEndpoint = aws.String(pool.Endpoint)
		}
		// Every call that needs a checksum names it. By default the SDK would add a CRC32 to other
		// calls, which S3-compatible servers may refuse.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.APIOptions = append(o.APIOptions, awsbody.HideWriterTo)
		if !pool.SignPayload {
			// The checksum guards the payload, and TLS guards both. A second hash for the signature
			// would cost more than the rest of the call.
			o.APIOptions = append(o.APIOptions, unsignedPayload)
		}
	})
	client := s3.New(anyOwner.Options(), func(o *s3.Options) { o.APIOptions = append(o.APIOptions, pool.expectOwners) })
	return &Bucket{
		cfg:       cfg,
		pool:      pool,
		client:    client,
		anyOwner:  anyOwner,
		presign:   s3.NewPresignClient(anyOwner),
		creds:     client.Options().Credentials,
		now:       time.Now,
		copyLimit: maxCopyObject,

		fixedTimeout: fixedTimeout,
		unlimited:    withHeaderTimeout(client.Options().HTTPClient, 0),
		splitPart:    splitPart,
	}
}

// failFastBackoff is the longest pause before the second HEAD of a bucket from FailFast. It is for
// a stale connection.
const failFastBackoff = 50 * time.Millisecond

// FailFast returns the same bucket for callers that have a client waiting: [Bucket.Head] makes two
// attempts at most. The SDK's three attempts and their pauses can outlast the caller's patience. A
// bucket that replies with errors would then look like one that does not reply.
func (b *Bucket) FailFast() *Bucket {
	fast := *b
	fast.forHead = []func(*s3.Options){func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = 2, failFastBackoff })
	}}
	return &fast
}

// Checksum returns the pool's checksum, [ChecksumCRC64NVME] by default.
func (b *Bucket) Checksum() Checksum {
	if b.pool.Checksum == "" {
		return ChecksumCRC64NVME
	}
	return b.pool.Checksum
}

// Head returns the object under key. It fails with [ErrNotFound], or with the server's error.
func (b *Bucket) Head(ctx context.Context, key string) (Stored, error) {
	stored, _, err := b.HeadMetadata(ctx, key)
	return stored, err
}

// HeadMetadata returns the object as Head does, and all its user metadata.
func (b *Bucket) HeadMetadata(ctx context.Context, key string) (Stored, map[string]string, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:       &b.pool.Bucket,
		Key:          &key,
		ChecksumMode: types.ChecksumModeEnabled,
	}, b.forHead...)
	if isStatus(err, http.StatusNotFound) {
		return Stored{}, nil, ErrNotFound
	}
	if err != nil {
		// S3 answers 403 for a missing object to credentials that can't list the bucket.
		return Stored{}, nil, b.wrap("head", key, b.explain(err, "s3:GetObject or s3:ListBucket"))
	}
	stored := Stored{
		Size: aws.ToInt64(out.ContentLength),
		ETag: aws.ToString(out.ETag),
		Headers: Headers{
			ContentType:        aws.ToString(out.ContentType),
			ContentEncoding:    aws.ToString(out.ContentEncoding),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentLanguage:    aws.ToString(out.ContentLanguage),
			LastModified:       aws.ToTime(out.LastModified),
		},
		Expires:    expiry(out.Expiration, aws.ToTime(out.LastModified), b.pool.Lifespan),
		Generation: Generation(out.Metadata),
		CopyID:     out.Metadata[MetadataCopyID],
		SHA256:     SHA256(out.Metadata),
	}
	if out.ChecksumType != types.ChecksumTypeComposite {
		stored.CRC64NVME = aws.ToString(out.ChecksumCRC64NVME)
	}
	return stored, out.Metadata, nil
}

// Generation returns the purge generation in a copy's user metadata. A missing or malformed
// generation is 0, the oldest, so the copy is never trusted after a purge.
func Generation(metadata map[string]string) int64 {
	g, err := strconv.ParseInt(metadata[MetadataGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return g
}

// SHA256 returns the SHA-256 in a copy's user metadata, or nothing if it is malformed.
func SHA256(metadata map[string]string) string {
	text := metadata[MetadataSHA256]
	if sum, err := hex.DecodeString(text); err != nil || len(sum) != sha256.Size {
		return ""
	}
	return strings.ToLower(text)
}

// Delete deletes the object. A missing object is not an error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.pool.Bucket, Key: &key})
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return b.wrap("delete", key, err)
	}
	return nil
}

func (b *Bucket) wrap(op, key string, err error) error {
	return fmt.Errorf("%s %s in bucket %s: %w", op, key, b.pool.Bucket, b.explain(err, ""))
}

func (b *Bucket) wrapNonNil(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return b.wrap(op, key, err)
}

// unsignedPayload leaves the payload out of the signatures of the calls that upload object data.
func unsignedPayload(stack *middleware.Stack) error {
	switch stack.ID() {
	case "PutObject", "UploadPart":
		return v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(stack)
	}
	return nil
}

func hasCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

func isStatus(err error, status int) bool {
	return statusOf(err) == status
}

// statusOf returns the HTTP status of the server's response, or 0 if there was none.
func statusOf(err error) int {
	if re, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return re.HTTPStatusCode()
	}
	return 0
}
