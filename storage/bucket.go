package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Sentinels of this package.
var (
	// ErrNotFound is returned for an object that the bucket does not have.
	ErrNotFound = errors.New("no such object in the bucket")
	// ErrNoUpload is returned for a multipart upload that was completed, aborted, or never was.
	ErrNoUpload = errors.New("no such upload in the bucket")
	// ErrConflict is returned if the bucket holds another object than the one that may be replaced.
	ErrConflict = errors.New("the bucket holds another object")
	// ErrMismatch is returned if the bucket holds something else than what was sent. It is deleted before that.
	ErrMismatch = errors.New("stored object differs from what was sent")
)

// User metadata that this package reads.
const (
	MetadataGeneration = "cloud-mirror-generation" // carries [Stored.Generation]
	MetadataCopyID     = "cloud-mirror-copy-id"    // carries [Stored.CopyID]
)

// Stored is what a bucket says of a copy.
type Stored struct {
	Size      int64
	ETag      string
	CRC64NVME string    // of the full object, base64 as in x-amz-checksum-crc64nvme; empty where the server keeps none
	Expires   time.Time // when the bucket deletes it; zero if it never does
	// Generation is the purge generation under which the copy was begun (see cache.Entry); 0 if it carries none.
	Generation int64
	// CopyID tells which copy it was, for one that wants to know whether it was itself; empty if it carries none.
	CopyID string
}

// Bucket is one pool's bucket. It is safe for concurrent use.
type Bucket struct {
	cfg     aws.Config
	pool    Pool
	client  *s3.Client
	presign *s3.PresignClient
	creds   aws.CredentialsProvider
	now     func() time.Time
	// copyLimit is maxCopyObject but in tests.
	copyLimit int64
}

// Open returns the pool's bucket. It does no I/O.
func Open(cfg aws.Config, pool Pool) *Bucket {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Region = pool.Region
		o.UsePathStyle = pool.PathStyle
		if pool.Endpoint != "" {
			o.BaseEndpoint = aws.String(pool.Endpoint)
		}
		// Every call that needs a checksum names it; the default would add a CRC32 to calls that S3-compatible
		// servers may refuse.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		if !pool.SignPayload {
			// The checksum guards the payload, and TLS both: to hash it once more for the signature costs more than all else.
			o.APIOptions = append(o.APIOptions, unsignedPayload)
		}
	})
	return &Bucket{
		cfg:       cfg,
		pool:      pool,
		client:    client,
		presign:   s3.NewPresignClient(client),
		creds:     client.Options().Credentials,
		now:       time.Now,
		copyLimit: maxCopyObject,
	}
}

// Checksum is the pool's.
func (b *Bucket) Checksum() Checksum {
	if b.pool.Checksum == "" {
		return ChecksumCRC64NVME
	}
	return b.pool.Checksum
}

// Head says what the bucket holds under key, or [ErrNotFound].
func (b *Bucket) Head(ctx context.Context, key string) (Stored, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:       &b.pool.Bucket,
		Key:          &key,
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if isStatus(err, http.StatusNotFound) {
		return Stored{}, ErrNotFound
	}
	if err != nil {
		return Stored{}, b.wrap("head", key, err)
	}
	stored := Stored{
		Size:       aws.ToInt64(out.ContentLength),
		ETag:       aws.ToString(out.ETag),
		Expires:    expiry(out.Expiration, aws.ToTime(out.LastModified), b.pool.Lifespan),
		Generation: Generation(out.Metadata),
		CopyID:     out.Metadata[MetadataCopyID],
	}
	if out.ChecksumType != types.ChecksumTypeComposite {
		stored.CRC64NVME = aws.ToString(out.ChecksumCRC64NVME)
	}
	return stored, nil
}

// Generation reads the purge generation out of a copy's user metadata. None, or one that doesn't parse, is 0, the oldest
// one: the copy is then never trusted after a purge.
func Generation(metadata map[string]string) int64 {
	g, err := strconv.ParseInt(metadata[MetadataGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return g
}

// Delete removes the object; that it is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.pool.Bucket, Key: &key})
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return b.wrap("delete", key, err)
	}
	return nil
}

func (b *Bucket) wrap(op, key string, err error) error {
	return fmt.Errorf("%s %s in bucket %s: %w", op, key, b.pool.Bucket, err)
}

func (b *Bucket) wrapNonNil(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return b.wrap(op, key, err)
}

// unsignedPayload leaves the payload out of the signatures of the calls that have one of size.
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

// statusOf is that of the server's answer, or 0 if there was none.
func statusOf(err error) int {
	if re, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return re.HTTPStatusCode()
	}
	return 0
}
