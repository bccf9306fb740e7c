package storage_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// server is an S3 server that others wrote.
type server struct {
	name string
	aws.Config
	storage.Pool
}

// servers are those of `make test`; without them these tests would prove nothing.
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

// realPool is a pool on the first of them.
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

func TestContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		m := &storagetest.Memory{}
		storagetest.Run(t, storagetest.Fixture{
			Bucket: m, PartSize: 1 << 10,
			Read: func(t *testing.T, key string) []byte {
				t.Helper()
				body, ok := m.Body(key)
				require.True(t, ok)
				return body
			},
		})
	})
	for _, s := range servers(t) {
		for name, change := range map[string]func(*storage.Pool){
			"":                 func(*storage.Pool) {},
			" with md5":        func(p *storage.Pool) { p.Checksum = storage.ChecksumMD5 },
			" with signatures": func(p *storage.Pool) { p.SignPayload = true },
		} {
			t.Run(s.name+name, func(t *testing.T) {
				pool := s.Pool
				change(&pool)
				b := storage.Open(s.Config, pool)
				_, err := b.Setup(t.Context(), false)
				require.NoError(t, err)
				storagetest.Run(t, storagetest.Fixture{
					Bucket: b, PartSize: storage.MinPartSize,
					Read: func(t *testing.T, key string) []byte {
						t.Helper()
						out, err := client(s.Config, pool).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &pool.Bucket, Key: &key})
						require.NoError(t, err)
						body, err := io.ReadAll(out.Body)
						require.NoError(t, err)
						require.Equal(t, "text/x-test", aws.ToString(out.ContentType))
						require.Equal(t, "x-test", aws.ToString(out.ContentEncoding))
						require.Equal(t, `attachment; filename="a b"`, aws.ToString(out.ContentDisposition))
						require.Equal(t, "de, en", aws.ToString(out.ContentLanguage))
						return body
					},
				})
			})
		}
	}
}

func TestSetupIsIdempotentAndDryRunChangesNothing(t *testing.T) {
	cfg, pool := realPool(t)
	pool.Bucket += time.Now().Format("150405")
	pool.Lifespan = 30 * 24 * time.Hour
	b := storage.Open(cfg, pool)

	lines, err := b.Setup(t.Context(), true)
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines, "\n"), "would create it in "+pool.Region)
	require.Contains(t, strings.Join(lines, "\n"), "would try out crc64nvme")
	_, err = client(cfg, pool).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &pool.Bucket})
	require.Error(t, err)

	lines, err = b.Setup(t.Context(), false)
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines, "\n"), "created in "+pool.Region)
	lines, err = b.Setup(t.Context(), false)
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines, "\n"), "is there")
	// This server has no lifecycle rules: that is a warning.
	require.Contains(t, strings.Join(lines, "\n"), "warning: the server has no lifecycle rules")
}

func TestPresignedLocationsWorkForTheirMethodAlone(t *testing.T) {
	cfg, pool := realPool(t)
	b := storage.Open(cfg, pool)
	_, err := b.Setup(t.Context(), false)
	require.NoError(t, err)
	_, err = b.Put(t.Context(), storage.ObjectSpec{Key: "a/b/c"}, b.Checksum().Body([]byte("hello")))
	require.NoError(t, err)
	for _, signed := range []string{http.MethodGet, http.MethodHead} {
		location, err := b.Location(t.Context(), signed, "a/b/c", time.Time{})
		require.NoError(t, err)
		for _, used := range []string{http.MethodGet, http.MethodHead} {
			want := http.StatusForbidden
			if used == signed {
				want = http.StatusOK
			}
			require.Equal(t, want, request(t, used, location.URL), "signed for %s, used for %s", signed, used)
		}
		unsigned, _, _ := strings.Cut(location.URL, "?")
		require.Equal(t, http.StatusForbidden, request(t, signed, unsigned), "the bucket is not private")
	}
}

func request(t *testing.T, method, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestLocation(t *testing.T) {
	soon := func(d time.Duration) aws.CredentialsProvider {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: "a", SecretAccessKey: "b", CanExpire: true, Expires: time.Now().Add(d + time.Second/2),
			}, nil
		})
	}
	forever := credentials.NewStaticCredentialsProvider("a", "b", "")
	for name, tc := range map[string]struct {
		creds   aws.CredentialsProvider
		expires time.Duration
		public  string
		want    string
	}{
		"as configured":               {forever, 0, "", "X-Amz-Expires=3600&"},
		"the object expires before":   {forever, 600*time.Second + time.Second/2, "", "X-Amz-Expires=600&"},
		"the object expires later":    {forever, 10 * time.Hour, "", "X-Amz-Expires=3600&"},
		"credentials expire before":   {soon(300 * time.Second), 600 * time.Second, "", "X-Amz-Expires=300&"},
		"the object has expired":      {forever, -time.Second, "", ""},
		"the credentials did":         {soon(-2 * time.Second), 0, "", ""},
		"public":                      {forever, 0, "https://cdn.example/base/", "https://cdn.example/base/host/hash/name"},
		"public, without credentials": {nil, 0, "https://cdn.example", "https://cdn.example/host/hash/name"},
	} {
		t.Run(name, func(t *testing.T) {
			b := storage.Open(aws.Config{Credentials: tc.creds}, storage.Pool{
				Service: "s3", Region: "us-west-2", Bucket: "bucket", PresignFor: time.Hour, PublicURL: tc.public,
			})
			var expires time.Time
			if tc.expires != 0 {
				expires = time.Now().Add(tc.expires)
			}
			got, err := b.Location(t.Context(), http.MethodGet, "host/hash/name", expires)
			if tc.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Contains(t, got.URL, tc.want)
			if tc.public != "" {
				require.Zero(t, got.Until)
				return
			}
			require.True(t, strings.HasPrefix(got.URL, "https://bucket.s3.us-west-2.amazonaws.com/host/hash/name?"), got.URL)
			u, err := url.Parse(got.URL)
			require.NoError(t, err)
			seconds, err := time.ParseDuration(u.Query().Get("X-Amz-Expires") + "s")
			require.NoError(t, err)
			require.WithinDuration(t, time.Now().Add(seconds), got.Until, 2*time.Second)
		})
	}
}

func TestCredentialsAtTheirEndAreRefreshedBeforeSigning(t *testing.T) {
	asked := 0
	cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		asked++
		life := 30 * time.Second // what is left of the first ones
		if asked > 1 {
			life = 2 * time.Hour
		}
		return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", CanExpire: true, Expires: time.Now().Add(life)}, nil
	}))
	b := storage.Open(aws.Config{Credentials: cache}, storage.Pool{
		Service: "s3", Region: "us-west-2", Bucket: "bucket", PresignFor: time.Hour,
	})
	for range 3 {
		got, err := b.Location(t.Context(), http.MethodGet, "host/hash/name", time.Time{})
		require.NoError(t, err)
		require.Contains(t, got.URL, "X-Amz-Expires=3600&")
	}
	require.Equal(t, 2, asked)
}
