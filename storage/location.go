package storage

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Location is where a client reads a copy.
type Location struct {
	URL string
	// Until is when the URL expires, zero if never.
	Until time.Time
}

// Location returns the URL from which a client reads the copy by the given method, GET or HEAD. It
// does no I/O, except to refresh credentials.
//
// The URL is unsigned if the pool has a PublicURL. Otherwise it is presigned for exactly that
// method, because S3 answers a HEAD with a signature for GET with 403. It is valid for at most the
// pool's PresignFor, and never longer than the credentials or the object, which expires at expires
// (zero: never). Location fails if less than a second of validity is left, or without credentials.
func (b *Bucket) Location(ctx context.Context, method, key string, expires time.Time) (Location, error) {
	if b.pool.PublicURL != "" {
		return Location{URL: strings.TrimSuffix(b.pool.PublicURL, "/") + "/" + key}, nil
	}
	now := b.now()
	validity := b.pool.PresignFor
	if !expires.IsZero() {
		validity = min(validity, expires.Sub(now))
	}
	life, err := b.credentialsLife(ctx, now)
	if err != nil {
		return Location{}, fmt.Errorf("credentials for bucket %s: %w", b.pool.Bucket, err)
	}
	validity = min(validity, life)
	// X-Amz-Expires is in whole seconds
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
	if validity = validity.Truncate(time.Second); validity <= 0 {
		return Location{}, fmt.Errorf("presign %s in bucket %s: the object or the credentials expire too soon", key, b.pool.Bucket)
	}
	expire := s3.WithPresignExpires(validity)
	until := now.Add(validity)
	if method == http.MethodHead {
		req, err := b.presign.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.pool.Bucket, Key: &key}, expire)
		if err != nil {
			return Location{}, b.wrap("presign", key, err)
		}
		return Location{URL: req.URL, Until: until}, nil
	}
	req, err := b.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &b.pool.Bucket, Key: &key}, expire)
	if err != nil {
		return Location{}, b.wrap("presign", key, err)
	}
	return Location{URL: req.URL, Until: until}, nil
}

// refreshBelow is the remaining life of credentials below which they are refreshed. The SDK keeps
// some kinds until their last second. Redirects signed with them would expire before the client
// follows them.
const refreshBelow = time.Minute

// credentialsLife returns how long a signature made now stays valid.
func (b *Bucket) credentialsLife(ctx context.Context, now time.Time) (time.Duration, error) {
	creds, err := b.creds.Retrieve(ctx)
	if err != nil {
		return 0, err
	}
	if c, ok := b.creds.(*aws.CredentialsCache); ok && creds.CanExpire && creds.Expires.Sub(now) < refreshBelow {
		c.Invalidate()
		if creds, err = c.Retrieve(ctx); err != nil {
			return 0, err
		}
	}
	if !creds.CanExpire {
		return math.MaxInt64, nil
	}
	return creds.Expires.Sub(now), nil
}
