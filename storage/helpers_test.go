package storage_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// spoiled is a bucket on a real server, seen through a proxy.
type spoiled struct {
	*storage.Bucket
	*storagetest.Proxy
	cfg  aws.Config
	pool storage.Pool
	// direct and past are the same past the proxy.
	direct *s3.Client
	past   *storage.Bucket
}

// spoil makes the bucket and puts a proxy before it; its client loses no time between tries.
func spoil(t *testing.T, s server, change func(*storage.Pool)) *spoiled {
	t.Helper()
	f := &spoiled{
		Proxy: storagetest.NewProxy(t, s.Endpoint), cfg: s.Config, direct: client(s.Config, s.Pool), pool: s.Pool,
	}
	f.cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) }
	if change != nil {
		change(&f.pool)
	}
	f.past = storage.Open(f.cfg, f.pool)
	f.pool.Endpoint = f.URL
	_, err := f.direct.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &f.pool.Bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(f.pool.Region),
		},
	})
	if _, owned := errors.AsType[*types.BucketAlreadyOwnedByYou](err); !owned {
		require.NoError(t, err)
	}
	f.Bucket = storage.Open(f.cfg, f.pool)
	return f
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>spoiled</Message></Error>`, code)
}

// strip takes headers from a request, which is then signed anew.
func (f *spoiled) strip(t *testing.T, r *http.Request, headers ...string) {
	t.Helper()
	for _, h := range append(headers, "Authorization") {
		r.Header.Del(h)
	}
	creds, err := f.cfg.Credentials.Retrieve(r.Context())
	if err == nil {
		err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(
			r.Context(), creds, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", f.pool.Region, time.Now())
	}
	if err != nil {
		t.Error(err)
	}
}

// read returns what is stored under key, or nil.
func (f *spoiled) read(t *testing.T, key string) []byte {
	t.Helper()
	out, err := f.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &f.pool.Bucket, Key: &key})
	if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
		return nil
	}
	require.NoError(t, err)
	body, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return body
}

// uploads returns the uploads that are open under key.
func (f *spoiled) uploads(t *testing.T, key string) []types.MultipartUpload {
	t.Helper()
	// MinIO lists those of exactly one key.
	out, err := f.direct.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &f.pool.Bucket, Prefix: &key})
	require.NoError(t, err)
	return out.Uploads
}
