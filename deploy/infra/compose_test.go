package infra

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

const image = "example/cloud-mirror:v1"

func load(ctx context.Context, text string, environment types.Mapping) (*types.Project, error) {
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir: "..", Environment: environment,
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: []byte(text)}},
	}, func(o *loader.Options) { o.SetProjectName("cloud-mirror", true) })
}

func compose(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../compose.yaml")
	require.NoError(t, err)
	return string(text)
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t.Context(), compose(t), types.Mapping{"CLOUD_MIRROR_IMAGE": image, "CLOUD_MIRROR_QUERY_KEY": key})
	require.NoError(t, err)
	return p
}

// TestComposeHasTheShapeOfMakeRun checks the services, and that nothing is reachable from elsewhere.
func TestComposeHasTheShapeOfMakeRun(t *testing.T) {
	p, product := project(t), 0
	for name, s := range p.Services {
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, name)
		}
		_, tag, _ := strings.Cut(s.Image, ":")
		require.NotContains(t, []string{"", "latest"}, tag, "%s: pin the image", name)
		if s.Image != image {
			continue
		}
		product++
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		if name != "setup" {
			require.Equal(t, types.ServiceConditionCompletedSuccessfully, s.DependsOn["setup"].Condition, name)
		}
	}
	names := p.ServiceNames()
	slices.Sort(names)
	require.Equal(t, []string{
		"frontend", "origin", "redis", "s3-us-east-1", "s3-us-west-2", "setup", "sqs", "temporal", "worker-us-east-1", "worker-us-west-2",
	}, names)
	require.Equal(t, 4, product)
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, setting := range p.Services["temporal"].Command {
		if name, ok := strings.CutSuffix(setting, "=true"); ok {
			require.Contains(t, string(page), "\n"+name+":\n")
		}
	}
}

// TestComposeConfiguresTheProduct has the product load the configuration, with each service's
// environment.
func TestComposeConfiguresTheProduct(t *testing.T) {
	p := project(t)
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, []byte(p.Configs["cloud-mirror"].Content), 0o600))
	var metrics []string
	for name, s := range p.Services {
		if s.Image != image {
			continue
		}
		require.Equal(t, *s.Environment["CLOUD_MIRROR_CONFIG"], s.Configs[0].Target)
		var environ []string
		for variable, value := range s.Environment {
			environ = append(environ, variable+"="+*value)
		}
		c, err := config.Load(file, environ)
		require.NoError(t, err, name)
		admin := map[string]string{"frontend": c.Frontend.AdminListen, "worker": c.Worker.AdminListen}[s.Command[0]]
		if host, port, _ := strings.Cut(admin, ":"); admin != "" {
			require.Equal(t, "0.0.0.0", host, "%s: the loopback of a container can't be published", name)
			published := slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return strconv.Itoa(int(p.Target)) == port })
			require.True(t, published, "%s publishes its admin listener", name)
			metrics = append(metrics, "http://"+name+":"+port+"/metrics")
			require.Subset(t, c.Admin.Metrics, metrics[len(metrics)-1:], "the page for people")
		}
		if s.Command[0] == "worker" {
			require.NoError(t, c.SetWorker(s.Command[2:], nil, nil), name)
		}
		for _, pool := range c.Pools {
			s3 := p.Services["s3-"+pool.Region]
			host, port, _ := strings.Cut(strings.TrimPrefix(pool.Endpoint, "http://"), ":")
			require.Contains(t, s3.Networks["default"].Aliases, host)
			require.Equal(t, port, s3.Ports[0].Published)
			require.Contains(t, strings.Join(s3.Command, " "), "--port :"+port+" --region "+pool.Region+" ")
		}
	}
	require.Len(t, metrics, 3)
}

// TestWrongComposeIsRefused has the tests above as its control.
func TestWrongComposeIsRefused(t *testing.T) {
	all := types.Mapping{"CLOUD_MIRROR_IMAGE": image, "CLOUD_MIRROR_QUERY_KEY": key}
	for _, tc := range []struct {
		old, new, missing, want string
	}{
		{"  sqs:\n    image:", "  sqs:\n    imgae:", "", "imgae"},
		{"sqs: {condition: service_started}", "queue: {condition: service_started}", "", "queue"},
		{"", "", "CLOUD_MIRROR_IMAGE", "name the image of cloud-mirror"},
		{"", "", "CLOUD_MIRROR_QUERY_KEY", "make a key"},
	} {
		environment := types.Mapping{}
		for name, value := range all {
			if name != tc.missing {
				environment[name] = value
			}
		}
		_, err := load(t.Context(), strings.Replace(compose(t), tc.old, tc.new, 1), environment)
		require.ErrorContains(t, err, tc.want)
	}
}
