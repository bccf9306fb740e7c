package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/workflows"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

func source(t *testing.T, region, url string) activities.SealedObject {
	t.Helper()
	s, err := seal.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	require.NoError(t, err)
	return s.Seal(storage.Object{Service: "s3", Region: region, URL: url})
}

func TestIDIsReadable(t *testing.T) {
	s := source(t, "us-west-2", "https://example.com/builds/42/target.zip?sig=secret")
	require.Equal(t, "s3_us-west-2/example.com/builds/42/target.zip/"+s.Hash[:16], workflows.ID(s))
	require.Equal(t, "copy-s3_us-west-2", workflows.TaskQueue(s.Pool()))
	require.Equal(t, "s3 us-west-2: https://example.com/builds/42/target.zip", workflows.Summary(s))
	require.Equal(t, "example.com", workflows.Host(s))
	s = source(t, "us-west-2", "https://m.example.com/v1/redirect/s3/r/https%3A%2F%2Fh%2Fp%3FX-Amz-Signature%3Dsecret")
	require.Equal(t, "s3_us-west-2/m.example.com/v1/redirect/s3/r/https%3A%2F%2Fh%2Fp/"+s.Hash[:16], workflows.ID(s))
}

func TestIDIsInjectiveSafeAndWithoutSecrets(t *testing.T) {
	long := strings.Repeat("x", 2000)
	seen := map[string]string{}
	for _, region := range []string{"us-west-2", "us-east-1"} {
		for _, url := range []string{
			"https://example.com/", "https://example.com/?", "https://example.com/?sig=secret", "https://example.com/a",
			"https://example.com/a/", "https://example.com//a", "https://example.com/a?b/c", "https://example.com/a%3Fb/c",
			"https://example.com/" + long, "https://example.com/" + long + "x", "https://" + long + ".com/", "http://[::1]:80/%ff",
			"https://example.com/m/https%3A%2F%2Fh%2Fp%3Fsig=secret", "https://example.com/m/https%3A%2F%2Fh%2Fp%3Fsig=secret2",
			"https://example.com/m/https%253A%252F%252Fh%252Fp%253Fsig=secret", "https://example.com/%00", "https://example.com/~!$&'()*+,;=:@", "https://example.com/caf\u00e9 \n",
		} {
			s := source(t, region, url)
			for _, text := range []string{workflows.ID(s), workflows.Summary(s), workflows.Host(s)} {
				require.LessOrEqual(t, len(text), 255)
				require.NotContains(t, text, "secret")
				for _, r := range text {
					require.True(t, r >= ' ' && r <= '~', "%q", text)
				}
			}
			id := workflows.ID(s)
			require.LessOrEqual(t, len(id), copyid.Max)
			require.True(t, copyid.Of(id, s.Pool(), s.URL, s.Hash))
			earlier := workflows.EarlierID(s)
			require.LessOrEqual(t, len(earlier), 255)
			require.True(t, strings.HasSuffix(earlier, "/"+s.Hash))
			require.True(t, copyid.Of(earlier, s.Pool(), s.URL, s.Hash))
			require.Equal(t, s.Hash[:16], copyid.Hash(id))
			require.Equal(t, s.Hash[:16], copyid.Hash(earlier))
			require.False(t, copyid.Of(id, "s3_eu-west-1", s.URL, s.Hash))
			require.Empty(t, seen[id], "%s and %s have the same id", url, seen[id])
			seen[id] = url
		}
	}
}
