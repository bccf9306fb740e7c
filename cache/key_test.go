package cache_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func TestKeyIsInjective(t *testing.T) {
	seen := map[string]bool{}
	for _, prefix := range []string{"cm", "cm2", "c"} {
		for _, pool := range []string{"s3_us-west-2", "s3_us-west", "s3_us-west-21"} {
			for _, endpoint := range []string{"", "https://s3.example.com", "https://s3.example.com:8443"} {
				for _, bucket := range []string{"bucket", "bucket2"} {
					for _, hash := range []string{"2/a", "a", "1", "aa"} {
						key := cache.NewSpace(prefix, pool, endpoint, bucket).Key(hash)
						require.False(t, seen[key], key)
						seen[key] = true
					}
				}
			}
		}
	}
}

func TestBucketIdentifiesTheEndpointAndTheName(t *testing.T) {
	bucket := cache.NewSpace("cm", "s3_us-west-2", "https://s3.example.com", "a-bucket").Bucket()
	require.Regexp(t, `^[A-Za-z0-9_-]{8}$`, bucket)
	require.Equal(t, bucket, cache.NewSpace("x", "s3_us-east-1", "https://s3.example.com", "a-bucket").Bucket())
	require.NotEqual(t, bucket, cache.NewSpace("cm", "s3_us-west-2", "https://s3.example.com", "b-bucket").Bucket())
	require.NotEqual(t, bucket, cache.NewSpace("cm", "s3_us-west-2", "https://s4.example.com", "a-bucket").Bucket())
}

// TestKeyIsShort checks the form: front ends hold a key for each object in memory.
func TestKeyIsShort(t *testing.T) {
	key := cache.NewSpace("cm", "s3_us-west-2", "https://s3.example.com", "a-bucket").Key(strings.Repeat("ab", 32))
	require.Regexp(t, `^cm:2:\{s3_us-west-2/[A-Za-z0-9_-]{8}/[A-Za-z0-9_-]{43}\}$`, key)
	same := cache.NewSpace("cm", "s3_us-west-2", "HTTPS://s3.Example.com/", "a-bucket").Key(strings.Repeat("ab", 32))
	require.Equal(t, key, same, "two spellings of one endpoint")
}

func TestHashOfAKey(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for _, s := range []cache.Space{
		cache.NewSpace("cm", "s3_us-west-2", "", "bucket"), cache.NewSpace("another-prefix", "s3_eu-central-1", "https://s3.example.com", "b"),
	} {
		require.Equal(t, "host/"+hash, string(s.AppendHash([]byte("host/"), s.Key(hash))))
		key, buf := s.Key(hash), make([]byte, 0, 100)
		require.Zero(t, testing.AllocsPerRun(100, func() { buf = s.AppendHash(buf[:0], key) }))
	}
}
