package storage_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

func TestPresignedLocationsWorkOnlyForTheirMethod(t *testing.T) {
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
		"the object expires first":    {forever, 600*time.Second + time.Second/2, "", "X-Amz-Expires=600&"},
		"the object expires later":    {forever, 10 * time.Hour, "", "X-Amz-Expires=3600&"},
		"credentials expire first":    {soon(300 * time.Second), 600 * time.Second, "", "X-Amz-Expires=300&"},
		"the object has expired":      {forever, -time.Second, "", ""},
		"credentials have expired":    {soon(-2 * time.Second), 0, "", ""},
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

func TestExpiringCredentialsAreRefreshedBeforeSigning(t *testing.T) {
	asked := 0
	cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		asked++
		life := 30 * time.Second // the rest of the first credentials' life
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
