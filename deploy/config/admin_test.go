package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdminURLs(t *testing.T) {
	c, err := load(t, minimal, "CLOUD_MIRROR_ADMIN_METRICS=http://front-1:8081/metrics http://worker-1:8082/metrics",
		"CLOUD_MIRROR_ADMIN_TEMPORAL_UI=https://temporal.example.com", "CLOUD_MIRROR_ADMIN_FRONTEND_URL=https://mirror.example.com")
	require.NoError(t, err)
	require.Equal(t, []string{"http://front-1:8081/metrics", "http://worker-1:8082/metrics"}, c.Admin.Metrics)
	for variable, want := range map[string]string{
		"TEMPORAL_UI=javascript:hunter2": "admin.temporal_ui: is not a URL", "FRONTEND_URL=hunter2": "admin.frontend_url: is not a URL",
		"HOSTS=a.example.com https://b.example.com": `admin.hosts: has "https://b.example.com"`, "HOSTS=a.example.com:8082": "admin.hosts: has",
		"METRICS=http://front-1:8081/metrics hunter2": "admin.metrics: is not a URL",
	} {
		_, err := load(t, minimal, "CLOUD_MIRROR_ADMIN_"+variable)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err = load(t, minimal+"\nadmin: {metrics: ['']}\n")
	require.ErrorContains(t, err, "admin.metrics: has an empty URL")
}
