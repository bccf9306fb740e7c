package worker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func TestDeploymentVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		deployment, build, err string
	}{
		"none":              {"", "", ""},
		"both":              {"cloud-mirror", "v1.2.3", ""},
		"longest":           {strings.Repeat("a", 200), strings.Repeat("b", 200), ""},
		"no build":          {"cloud-mirror", "", "TEMPORAL_DEPLOYMENT_NAME is set, and TEMPORAL_WORKER_BUILD_ID is not: set both, or neither"},
		"no name":           {"", "v1", "TEMPORAL_WORKER_BUILD_ID is set, and TEMPORAL_DEPLOYMENT_NAME is not: set both, or neither"},
		"dot in the name":   {"cloud.mirror", "v1", `TEMPORAL_DEPLOYMENT_NAME: "cloud.mirror" has a '.' or a ':'`},
		"colon in the name": {"cloud:mirror", "v1", `TEMPORAL_DEPLOYMENT_NAME: "cloud:mirror" has a '.' or a ':'`},
		"reserved name":     {"__a", "v1", `TEMPORAL_DEPLOYMENT_NAME: "__a" begins with '__', or is longer than 200 bytes`},
		"reserved build":    {"a", "__unversioned__", `TEMPORAL_WORKER_BUILD_ID: "__unversioned__" begins with '__', or is longer than 200 bytes`},
		"a long build":      {"a", strings.Repeat("b", 201), `TEMPORAL_WORKER_BUILD_ID: "` + strings.Repeat("b", 50) + `" begins`},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := DeploymentVersion(func(variable string) string {
				return map[string]string{"TEMPORAL_DEPLOYMENT_NAME": tc.deployment, "TEMPORAL_WORKER_BUILD_ID": tc.build}[variable]
			})
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, worker.WorkerDeploymentVersion{DeploymentName: tc.deployment, BuildID: tc.build}, v)
		})
	}
}

func TestWorkersWithoutAVersionAreNotVersioned(t *testing.T) {
	require.Zero(t, deploymentOptions(worker.WorkerDeploymentVersion{}))
	v := worker.WorkerDeploymentVersion{DeploymentName: "cloud-mirror", BuildID: "v1"}
	require.Equal(t, worker.DeploymentOptions{
		UseVersioning: true, Version: v, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}, deploymentOptions(v))
}
