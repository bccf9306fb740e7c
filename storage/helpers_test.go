package storage_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// faultyBucket is a bucket on a real server, behind a proxy that injects faults.
type faultyBucket struct {
	*storage.Bucket
	*storagetest.Proxy
	cfg  aws.Config
	pool storage.Pool
	// directClient and directBucket reach the same bucket without the proxy.
	directClient *s3.Client
	directBucket *storage.Bucket
}

// newFaultyBucket creates the bucket and puts a proxy before it. Its client does not wait between
// retries.
func newFaultyBucket(t *testing.T, s server, change func(*storage.Pool)) *faultyBucket {
	t.Helper()
	f := &faultyBucket{
		Proxy: storagetest.NewProxy(t, s.Endpoint), cfg: s.Config, directClient: client(s.Config, s.Pool), pool: s.Pool,
	}
	f.cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) }
	if change != nil {
		change(&f.pool)
	}
	f.directBucket = storage.Open(f.cfg, f.pool)
	f.pool.Endpoint = f.URL
	_, err := f.directClient.CreateBucket(t.Context(), &s3.CreateBucketInput{
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

// refuse answers with an error in S3's form.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
}

// strip removes headers from a request and signs it again.
func (f *faultyBucket) strip(t *testing.T, r *http.Request, headers ...string) {
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

// read returns the object under key, or nil.
func (f *faultyBucket) read(t *testing.T, key string) []byte {
	t.Helper()
	out, err := f.directClient.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &f.pool.Bucket, Key: &key})
	if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
		return nil
	}
	require.NoError(t, err)
	body, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return body
}

// uploads returns the open uploads of key.
func (f *faultyBucket) uploads(t *testing.T, key string) []types.MultipartUpload {
	t.Helper()
	// MinIO lists only the uploads of the key that equals the prefix.
	out, err := f.directClient.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &f.pool.Bucket, Prefix: &key})
	require.NoError(t, err)
	return out.Uploads
}

// server is a third-party S3 server.
type server struct {
	name string
	aws.Config
	storage.Pool
}

// servers returns the S3 servers that `make test` starts. Without real servers these tests would
// prove nothing, so they fail.
func servers(t *testing.T) []server {
	t.Helper()
	endpoints, minio := os.Getenv("CM_TEST_S3_ENDPOINTS"), os.Getenv("CM_TEST_MINIO_ENDPOINT")
	require.NotEmpty(t, endpoints, "this test needs real S3 servers: run `make test`, or set CM_TEST_S3_ENDPOINTS")
	require.NotEmpty(t, minio, "this test needs real S3 servers: run `make test`, or set CM_TEST_MINIO_ENDPOINT")
	first, _, _ := strings.Cut(endpoints, ",")
	region, versity, _ := strings.Cut(first, "=")
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	pool := storage.Pool{
		Service: "s3", Region: region, Bucket: name[:min(len(name), 40)], Endpoint: versity, PathStyle: true, PresignFor: time.Hour,
	}
	all := []server{{"versitygw", cfg, pool}, {"minio", cfg, pool}}
	all[1].Endpoint = minio
	return all
}

// realPool returns a pool on the first of the servers.
func realPool(t *testing.T) (aws.Config, storage.Pool) {
	t.Helper()
	s := servers(t)[0]
	return s.Config, s.Pool
}

func client(cfg aws.Config, p storage.Pool) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Region, o.BaseEndpoint, o.UsePathStyle = p.Region, &p.Endpoint, true
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
}
