package worker

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The variables of a worker deployment version. Temporal's Worker Controller for Kubernetes sets
// both.
const (
	deploymentNameVariable = "TEMPORAL_DEPLOYMENT_NAME"
	buildIDVariable        = "TEMPORAL_WORKER_BUILD_ID"
)

// maxDeploymentField is the longest name of a deployment or a build, in bytes. Temporal's limit
// depends on its configuration, and is higher.
const maxDeploymentField = 200

// DeploymentVersion returns the version of a Worker Deployment that TEMPORAL_DEPLOYMENT_NAME and
// TEMPORAL_WORKER_BUILD_ID name, or the zero value if both are empty
// (https://docs.temporal.io/worker-versioning). It checks Temporal's rules for names: if
// Temporal refuses its polls, a worker only logs errors.
func DeploymentVersion(getenv func(string) string) (v worker.WorkerDeploymentVersion, err error) {
	v.DeploymentName, v.BuildID = getenv(deploymentNameVariable), getenv(buildIDVariable)
	switch {
	case v.DeploymentName == "" && v.BuildID == "":
		return v, nil
	case v.BuildID == "":
		return v, fmt.Errorf("%s is set, and %s is not: set both, or neither", deploymentNameVariable, buildIDVariable)
	case v.DeploymentName == "":
		return v, fmt.Errorf("%s is set, and %s is not: set both, or neither", buildIDVariable, deploymentNameVariable)
	case strings.ContainsAny(v.DeploymentName, ".:"):
		err = fmt.Errorf("%s: %q has a '.' or a ':'", deploymentNameVariable, v.DeploymentName)
	}
	for name, value := range map[string]string{deploymentNameVariable: v.DeploymentName, buildIDVariable: v.BuildID} {
		if strings.HasPrefix(value, "__") || len(value) > maxDeploymentField {
			err = errors.Join(err, fmt.Errorf("%s: %.50q begins with '__', or is longer than %d bytes",
				name, value, maxDeploymentField))
		}
	}
	return v, err
}

// deploymentOptions pins each run to the version of the worker that begins it. The zero version is
// no versioning.
func deploymentOptions(v worker.WorkerDeploymentVersion) worker.DeploymentOptions {
	if v == (worker.WorkerDeploymentVersion{}) {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning: true, Version: v, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}
}
