package cache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func TestKeyIsInjective(t *testing.T) {
	seen := map[string]bool{}
	for _, pool := range []string{"s3_us-west-2", "s3_us-west", "s3_us-west-21"} {
		for _, hash := range []string{"2/a", "a", "1", "aa"} {
			key := cache.Key(pool, hash)
			require.False(t, seen[key], key)
			seen[key] = true
		}
	}
}
