package storage_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

func key(url string) string {
	return storage.Object{Service: "s3", Region: "us-west-2", URL: url}.Key()
}

func TestKeyIsReadable(t *testing.T) {
	for url, want := range map[string]string{
		"https://example.com/a/b/c.zip":        "c.zip",
		"https://example.com/a/b/c.zip?x=1/2":  "c.zip",
		"https://example.com/":                 "object",
		"https://example.com/a/":               "object",
		"https://example.com/a/..":             "object",
		"https://example.com/.":                "object",
		"https://example.com/...":              "object",
		"https://example.com/%2e%2e":           "_2e_2e",
		"https://example.com/a%2Fb c":          "a_2Fb_c",
		"https://example.com/x?a=http://b/y/z": "x",
		"https://example.com:8443/x":           "x",
		// The query of a URL in the path is hidden.
		"https://example.com/m/https%3A%2F%2Fh%2Fp%3FX-Amz-Signature%3Dsecret":           "https_3A_2F_2Fh_2Fp",
		"https://example.com/m/https%253A%252F%252Fh%252Fp%253FX-Amz-Signature%3Dsecret": "https_253A_252F_252Fh_252Fp",
		"https://example.com/m/%3Fsecret":                                                "object",
	} {
		segments := strings.Split(key(url), "/")
		require.Len(t, segments, 3, url)
		require.Equal(t, "example.com", segments[0], url)
		require.Equal(t, want, segments[2], url)
	}
	require.True(t, strings.HasPrefix(key("https://[2001:db8::1]/x"), "2001_db8__1/"))
}

func TestKeyIsInjectiveAndSafe(t *testing.T) {
	// Every S3-compatible server stores such a key as it is.
	safeKey := regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}/[0-9a-f]{64}/[A-Za-z0-9._-]{1,255}$`)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	alphabet := []string{"a", "B", ".", "..", "/", "//", "%2F", "%2e", "?", "=", "&", "~", "+", strings.Repeat("x", 300)}
	seen := map[string]string{}
	for range 20_000 {
		var b strings.Builder
		b.WriteString("https://example.com/")
		for range random.IntN(8) {
			b.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		url := b.String()
		k := key(url)
		require.Regexp(t, safeKey, k)
		for segment := range strings.SplitSeq(k, "/") {
			require.NotContains(t, []string{"", ".", ".."}, segment)
		}
		other, dup := seen[k]
		require.True(t, !dup || other == url, "%s and %s have the same key", other, url)
		seen[k] = url
	}
	require.Greater(t, len(seen), 5_000)
}

func TestPoolIDNamesServiceAndRegion(t *testing.T) {
	o := storage.Object{Service: "s3", Region: "us-west-2"}
	require.Equal(t, "s3_us-west-2", o.PoolID())
	require.Equal(t, o.PoolID(), storage.Pool{Service: "s3", Region: "us-west-2"}.ID())
}
