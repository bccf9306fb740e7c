package storage

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Location is the URL from which a client reads the copy by the given method, GET or HEAD.
//
// It is public where the pool is; otherwise presigned for exactly that method (S3 answers a HEAD with a signature for
// GET with 403), valid for at most the pool's PresignFor, and never longer than the credentials or, unless expires is
// zero, than the object.
func (b *Bucket) Location(ctx context.Context, method, key string, expires time.Time) (string, error) {
	if b.pool.PublicURL != "" {
		return strings.TrimSuffix(b.pool.PublicURL, "/") + "/" + key, nil
	}
	creds, err := b.creds.Retrieve(ctx)
	if err != nil {
		return "", fmt.Errorf("credentials for bucket %s: %w", b.pool.Bucket, err)
	}
	validity := b.pool.PresignFor
	now := b.now()
	if !expires.IsZero() {
		validity = min(validity, expires.Sub(now))
	}
	if creds.CanExpire {
		validity = min(validity, creds.Expires.Sub(now))
	}
	// X-Amz-Expires counts whole seconds.
	if validity = validity.Truncate(time.Second); validity <= 0 {
		return "", fmt.Errorf("presign %s in bucket %s: the object or the credentials expire too soon", key, b.pool.Bucket)
	}
	expire := s3.WithPresignExpires(validity)
	if method == http.MethodHead {
		req, err := b.presign.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.pool.Bucket, Key: &key}, expire)
		if err != nil {
			return "", b.wrap("presign", key, err)
		}
		return req.URL, nil
	}
	req, err := b.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &b.pool.Bucket, Key: &key}, expire)
	if err != nil {
		return "", b.wrap("presign", key, err)
	}
	return req.URL, nil
}
