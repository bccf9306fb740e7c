package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBucketOwners(t *testing.T) {
	const pools = `
source: {allowed: ["https://example.com/"]}
redis: {url: "redis://localhost:6379/0"}
s3: {bucket_base: mirror, bucket_owner: "111122223333"}
pools:
  - {region: us-west-2}
  - {region: us-east-1, bucket_owner: "012345670123"}
  - {region: eu-west-1, endpoint: "http://localhost:9000", bucket_owner: any}
`
	c, err := load(t, pools)
	require.NoError(t, err)
	all := c.StoragePools()
	onAWS := map[string]string{"mirror-us-west-2": "111122223333", "mirror-us-east-1": "012345670123"}
	require.Equal(t, onAWS, all[0].Owners)
	require.Equal(t, onAWS, all[1].Owners)
	require.Empty(t, all[2].Owners, "a bucket of another server")

	c, err = load(t, minimal)
	require.NoError(t, err)
	require.Empty(t, c.StoragePools()[0].Owners)

	c, err = load(t, minimal, "CLOUD_MIRROR_S3_BUCKET_OWNER=111122223333")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"mirror-us-west-2": "111122223333"}, c.StoragePools()[0].Owners)
	require.Equal(t, map[string]string{"other": "111122223333"}, c.StoragePools()[1].Owners)

	_, err = load(t, minimal, "CLOUD_MIRROR_S3_BUCKET_OWNER=11112222333")
	require.EqualError(t, err, `s3.bucket_owner: "11112222333" is not the id of an AWS account: 12 digits, in quotes`)
	// YAML reads a number that begins with 0 as octal. It has fewer digits then.
	_, err = load(t, minimal+"  - {region: eu-west-1, bucket_owner: 012345670123}\n")
	require.EqualError(t, err, `pools[2].bucket_owner: "1402433619" is not the id of an AWS account: 12 digits, in quotes, or any`)
	_, err = load(t, minimal+"  - {region: eu-west-1, bucket_owner: alias}\n")
	require.EqualError(t, err, `pools[2].bucket_owner: "alias" is not the id of an AWS account: 12 digits, in quotes, or any`)
}

func TestPublicURLOfASharedSiteIsReported(t *testing.T) {
	for public, tc := range map[string]struct {
		names  string
		shares bool
	}{
		"https://mirror.example.com/copies":         {"mirror.example.com", true},
		"https://copies.mirror.example.com":         {"mirror.example.com:8443", true},
		"https://COPIES.example.com.":               {"other.test mirror.example.com", true},
		"https://example.com":                       {"mirror.example.com", true},
		"http://127.0.0.1:9000/bucket":              {"127.0.0.1:8080", true},
		"https://copies.example.net":                {"mirror.example.com", false},
		"https://copies.co.uk":                      {"mirror.co.uk", false},
		"https://bucket.s3.us-west-2.amazonaws.com": {"mirror.example.com", false},
		"http://127.0.0.2:9000/bucket":              {"127.0.0.1:8080", false},
		"https://copies.example.com":                {"", false},
	} {
		c, err := load(t, minimal+"  - {region: eu-west-1, public_url: \""+public+"\"}\n", "CLOUD_MIRROR_FRONTEND_PUBLIC_NAMES="+tc.names)
		require.NoError(t, err, public)
		warnings := c.SharedSites()
		require.Equal(t, tc.shares, len(warnings) == 1, "%s: %v", public, warnings)
		if tc.shares {
			require.Contains(t, warnings[0], "pools[2].public_url: ")
		}
	}
}

func TestDownloadActive(t *testing.T) {
	c, err := load(t, minimal+"  - {region: eu-west-1, download_active: true}\n")
	require.NoError(t, err)
	require.False(t, c.StoragePools()[0].DownloadActive)
	require.True(t, c.StoragePools()[2].DownloadActive)
}
