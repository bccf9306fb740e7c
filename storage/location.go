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
	// Until is when the URL ceases to work; zero for never.
	Until time.Time
}

// Location is the URL from which a client reads the copy by the given method, GET or HEAD.
//
// It is public where the pool is; otherwise presigned for exactly that method (S3 answers a HEAD with a signature for
// GET with 403), valid for at most the pool's PresignFor, and never longer than the credentials or, unless expires is
// zero, than the object.
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
	// X-Amz-Expires counts whole seconds.
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

// refreshBelow is the remaining life of credentials below which they are asked for anew. The SDK keeps some kinds to their
// last second, which would make redirects that are over before they are followed.
const refreshBelow = time.Minute

// credentialsLife is how long what is signed now stays valid.
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
