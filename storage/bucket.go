package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ErrNotFound is returned for an object that the bucket does not have.
var ErrNotFound = errors.New("no such object in the bucket")

// MetadataGeneration is the user metadata that carries [Stored.Generation].
const MetadataGeneration = "cloud-mirror-generation"

// Stored is what a bucket says of a copy.
type Stored struct {
	Size      int64
	CRC64NVME string    // base64 as in x-amz-checksum-crc64nvme; empty where the server keeps none
	Expires   time.Time // when the bucket deletes it; zero if it never does
	// Generation is the purge generation under which the copy was begun (see cache.Entry); 0 if it carries none.
	Generation int64

	metadata map[string]string
}

// Bucket is one pool's bucket. It is safe for concurrent use.
type Bucket struct {
	pool    Pool
	parts   partBuffers
	client  *s3.Client
	presign *s3.PresignClient
	creds   aws.CredentialsProvider
	now     func() time.Time
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
	})
	return &Bucket{
		pool:    pool,
		parts:   partBuffers{size: pool.PartSize},
		client:  client,
		presign: s3.NewPresignClient(client),
		creds:   client.Options().Credentials,
		now:     time.Now,
	}
}

// Pool returns the pool that the bucket belongs to.
func (b *Bucket) Pool() Pool { return b.pool }

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
	return Stored{
		Size:       aws.ToInt64(out.ContentLength),
		CRC64NVME:  aws.ToString(out.ChecksumCRC64NVME),
		Expires:    expiry(out.Expiration, aws.ToTime(out.LastModified), b.pool.Lifespan),
		Generation: Generation(out.Metadata),
		metadata:   out.Metadata,
	}, nil
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

func isStatus(err error, status int) bool {
	var re *awshttp.ResponseError
	return errors.As(err, &re) && re.HTTPStatusCode() == status
}
