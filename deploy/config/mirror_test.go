package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const mirrored = `
mirror:
  wait: 7s
  min_size: 2MiB
  upstreams:
    - url: https://GitHub.com
      copy: [github]
    - name: playwright
      url: https://cdn.playwright.dev/dbazure/download/playwright
      copy: ['^/']
      min_size: 0
    - url: https://cdn.playwright.dev
      min_size: 3MiB
`

func TestMirrorSettings(t *testing.T) {
	c, err := load(t, minimal+mirrored, "CLOUD_MIRROR_MIRROR_WAIT=8s", "CLOUD_MIRROR_MIRROR_AUDIT_EVERY=5", "CLOUD_MIRROR_MIRROR_AUDIT_PURGE=true")
	require.NoError(t, err)
	require.Equal(t, 8*time.Second, c.FrontendOptions().MirrorWait)
	require.Equal(t, 5, c.Mirror.AuditEvery)
	require.True(t, c.Mirror.AuditPurge)
	all := c.Upstreams()
	require.Len(t, all, 3)
	require.Equal(t, []int64{2 << 20, 0, 3 << 20}, []int64{all[0].MinSize, all[1].MinSize, all[2].MinSize})
	require.Equal(t, []string{"github"}, all[0].Copy)
	require.Equal(t, "playwright", all[1].Name)

	c, err = load(t, minimal)
	require.NoError(t, err)
	require.Empty(t, c.Upstreams())
	require.Equal(t, 10*time.Second, c.FrontendOptions().MirrorWait)
	require.EqualValues(t, 1<<20, c.Mirror.MinSize)
	require.Equal(t, 1000, c.Mirror.AuditEvery)

	c, err = load(t, minimal+mirrored, "CLOUD_MIRROR_MIRROR_MIN_SIZE=5MiB", "CLOUD_MIRROR_MIRROR_AUDIT_EVERY=0")
	require.NoError(t, err)
	require.EqualValues(t, 5<<20, c.Upstreams()[0].MinSize)
	require.Zero(t, c.Mirror.AuditEvery)
}

func TestMirrorErrorNamesTheKey(t *testing.T) {
	in := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s+mirrored, old, with, 1) }
	}
	const insecure = "url: http://insecure.example"
	for name, tc := range map[string]struct {
		edit func(string) string
		want string
	}{
		"no wait":                 {in("wait: 7s", "wait: 0s"), "mirror.wait: 0s is not between 1ms and 5m0s"},
		"a wait beyond the limit": {in("wait: 7s", "wait: 6m"), "mirror.wait: 6m0s is not between 1ms and 5m0s"},
		"a negative minimum":      {in("min_size: 2MiB", "min_size: -1"), "mirror.min_size: want a size such as 32MiB"},
		"a huge minimum":          {in("min_size: 2MiB", "min_size: 50TiB"), "mirror.min_size: 54975581388800 is not between 0 and"},
		"a huge minimum of one":   {in("min_size: 3MiB", "min_size: 50TiB"), "mirror.upstreams[2].min_size: 54975581388800 is not between 0 and"},
		"negative audits":         {in("wait: 7s", "audit_every: -1"), "mirror.audit_every: -1 is not between 0 and"},
		"no URL":                  {in("url: https://GitHub.com", "name: x"), "mirror.upstreams[0].url: does not begin with https://"},
		"an address":              {in("url: https://cdn.playwright.dev\n", "url: https://127.0.0.1\n"), "mirror.upstreams[2].url: has an IP address"},
		"a password":              {in("url: https://GitHub.com", "url: https://hunter2@github.com"), "mirror.upstreams[0].url: has a user name or a password"},
		"http":                    {in("url: https://GitHub.com", insecure), "mirror.upstreams[0].url: is http, and only https sources are allowed"},
		"the same name":           {in("name: playwright", "name: github.com"), `mirror.upstreams[1].name: "github.com" is already the name`},
		"an unknown set":          {in("[github]", "[go, gihub]"), `mirror.upstreams[0].copy[1]: "gihub" is neither a built-in set`},
		"a negative size":         {in("min_size: 3MiB", "min_size: -3"), "mirror.upstreams[2].min_size: want a size such as 32MiB"},
		"a misspelt key":          {in("copy:", "copies:"), `unknown key "copies"`},
		"a size of a wrong type":  {in("min_size: 3MiB", "min_size: hunter2"), "mirror.upstreams[2].min_size: want a size such as 32MiB"},
		"rules of a wrong type":   {in("[github]", "{a: hunter2}"), "mirror.upstreams[0].copy: want a list"},
		"upstreams without list":  {in("    - url: https://GitHub.com", "      hunter2: x\n    - url: https://GitHub.com"), "line "},
		"a wrong type":            {in("wait: 7s", "wait: hunter2"), "mirror.wait: want a duration such as 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			text := tc.edit(minimal)
			require.NotEqual(t, minimal+mirrored, text)
			_, err := load(t, text)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	c, err := load(t, in("url: https://GitHub.com", insecure)(minimal), "CLOUD_MIRROR_SOURCE_ENSURE_SSL=false")
	require.NoError(t, err)
	require.Contains(t, c.Origin().Allowed, "http://insecure.example/")
}

// A deployment without upstreams keeps any limit of waits.
func TestMirrorWaitIsOfNoUseWithoutUpstreams(t *testing.T) {
	const short = "frontend: {max_wait: 1s, max_wait_limit: 5s}\n"
	_, err := load(t, minimal+short)
	require.NoError(t, err)
	_, err = load(t, minimal+short+mirrored)
	require.ErrorContains(t, err, "mirror.wait: 7s is not between 1ms and 5s")
}

// Upstreams allow their own roots, and the hosts to which their sets redirect. Entries allow more.
func TestUpstreamsAllowTheirSources(t *testing.T) {
	for name, tc := range map[string]struct {
		text             string
		allowed, refused []string
	}{
		"upstreams and entries": {minimal + mirrored, []string{
			"https://github.com/a", "https://objects.githubusercontent.com/a", "https://release-assets.githubusercontent.com/a?sig=b",
			"https://codeload.github.com/a", "https://cdn.playwright.dev/a", "https://example.com/a",
		}, []string{"https://raw.githubusercontent.com/a", "http://github.com/a", "https://github.com.evil.test/", "https://sub.github.com/a"}},
		"upstreams alone": {strings.Replace(minimal, `["https://example.com/"]`, "[]", 1) + mirrored, []string{
			"https://github.com/a",
		}, []string{"https://example.com/a"}},
		"entries alone": {minimal, []string{"https://example.com/a"}, []string{"https://github.com/a", "https://objects.githubusercontent.com/a"}},
		"a root below a host": {minimal + "mirror: {upstreams: [{url: 'https://github.com/a/b'}]}\n", []string{"https://github.com/a/b/c"},
			[]string{"https://github.com/a/c", "https://github.com/a/b/../c", "https://github.com/a/b/%2e%2e/c", "https://objects.githubusercontent.com/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, tc.text)
			require.NoError(t, err)
			client, err := origin.New(c.Origin())
			require.NoError(t, err)
			for _, url := range tc.allowed {
				require.NoError(t, client.Check(url))
			}
			for _, url := range tc.refused {
				require.Error(t, client.Check(url), url)
			}
		})
	}
	_, err := load(t, strings.Replace(minimal, `["https://example.com/"]`, "[]", 1))
	require.ErrorContains(t, err, "source.allowed: is empty, and so is mirror.upstreams: no source is allowed")
}

func TestTableHasTheSettingsOfLists(t *testing.T) {
	for _, row := range []string{
		"| `mirror.wait` | `CLOUD_MIRROR_MIRROR_WAIT` | `10s` |", "| `mirror.min_size` | `CLOUD_MIRROR_MIRROR_MIN_SIZE` | `1MiB` |",
		"| `mirror.upstreams[].url` | – |  | **required**", "| `mirror.upstreams[].min_size` | – |  |", "| `mirror.upstreams[].copy` | – |  |",
		"| `pools[].checksum` | – | `crc64nvme` |", "| `pools[].max_parts` | – | `128` |",
	} {
		require.Contains(t, config.Table(), "\n"+row)
	}
}
