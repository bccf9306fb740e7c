package config_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
)

// exampleFile is the documented example, and the template of the local stack's configuration.
const exampleFile = "../local/stack/cloud-mirror.yaml.tmpl"

// example renders exampleFile as the local stack does.
func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	tmpl, err := template.New("").Funcs(template.FuncMap{"quote": strconv.Quote}).Option("missingkey=error").Parse(string(text))
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, tmpl.Execute(&b, map[string]any{
		"FrontEndListen": ":1", "FrontEndAdminListen": ":2", "WorkerAdminListen": ":3", "TokensFile": "/tokens", "QueryKey": "a2V5",
		"RedisURL": "redis://localhost", "SQSEndpoint": "http://localhost:4", "OriginURL": "http://localhost:7", "Region": "us-west-2", "BucketBase": "mirror",
		"TemporalUI": "http://localhost:8", "FrontEndURL": "http://localhost:9", "Metrics": []string{"http://localhost:2/metrics"},
		"Pools": []map[string]string{
			{"Region": "us-west-2", "Endpoint": "http://localhost:5"}, {"Region": "us-east-1", "Endpoint": "http://localhost:6"},
		},
	}))
	return b.String()
}

func TestExampleIsAConfiguration(t *testing.T) {
	c, err := load(t, example(t))
	require.NoError(t, err)
	require.Equal(t, ":1", c.Frontend.Listen)
	require.Equal(t, "/tokens", c.Frontend.TokensFile)
	require.Len(t, c.Pools, 2)
	require.Equal(t, "mirror-us-east-1", c.Pools[1].Bucket)
	require.Equal(t, []string{"http://localhost:2/metrics"}, c.Admin.Metrics)
	require.Len(t, c.Mirror.Upstreams, 1)
	require.Equal(t, "local", c.Mirror.Upstreams[0].Name)
}

// TestExampleShowsDefaults switches on every setting that the example has behind a #. If it shows
// the default, the configuration stays the same.
func TestExampleShowsDefaults(t *testing.T) {
	text := example(t)
	want, err := load(t, text)
	require.NoError(t, err)

	setting := regexp.MustCompile(`(?m)^( *)#([a-z][a-z0-9_]*:.*)$`)
	require.Greater(t, len(setting.FindAllString(text, -1)), 15, "the example shows few defaults")
	all := setting.ReplaceAllString(text, "$1$2")

	inPool := regexp.MustCompile(`(?m)^#   ([a-z][a-z0-9_]*:.*)$`)
	var lines strings.Builder
	for _, m := range inPool.FindAllStringSubmatch(text, -1) {
		lines.WriteString("    " + m[1] + "\n")
	}
	require.NotEmpty(t, lines.String())
	all = strings.Replace(all, "    path_style: true\n", "    path_style: true\n"+lines.String(), 1)

	got, err := load(t, all)
	require.NoError(t, err, all)
	require.Empty(t, got.Worker.Pools)
	require.Empty(t, got.Frontend.PublicNames)
	require.Empty(t, got.Worker.PayloadKeys)
	got.Worker.Pools, got.Frontend.PublicNames, got.Worker.PayloadKeys = nil, nil, nil // The defaults
	require.Equal(t, want, got)
}
