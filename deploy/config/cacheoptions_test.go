package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

func TestCacheOptionsFollowTheSettings(t *testing.T) {
	for days, want := range map[int]time.Duration{0: 365 * 24 * time.Hour, 1: 10 * 24 * time.Hour, 30: 39 * 24 * time.Hour} {
		c := config.Default()
		c.S3.LifespanDays, c.Redis.Prefix = days, "mine"
		o := c.CacheOptions()
		require.Equal(t, "mine", o.Prefix)
		require.Equal(t, c.Rules(), o.Rules)
		require.Equal(t, want, cache.Tombstone(o.Lifespan), "%d days", days)
	}
}

func TestSpacesNameTheBucket(t *testing.T) {
	c := config.Default()
	c.Pools = []config.Pool{{Service: "s3", Region: "us-west-2", Bucket: "a"}, {Service: "s3", Region: "us-west-2", Bucket: "b"}}
	pools := c.StoragePools()
	require.NotEqual(t, c.Space(pools[0]), c.Space(pools[1]))
	require.Equal(t, cache.NewSpace("cm", "s3_us-west-2", "", "a"), c.Space(pools[0]))
	c.Pools[0].KeyEndpoint = "https://s3.internal"
	require.Equal(t, cache.NewSpace("cm", "s3_us-west-2", "https://s3.internal", "a"), c.Space(pools[0]))
}
