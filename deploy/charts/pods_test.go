package charts

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestPodsAreRestricted checks the restricted pod security standard. See
// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.
func TestPodsAreRestricted(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		for _, p := range r.pods(t) {
			require.True(t, *p.Spec.SecurityContext.RunAsNonRoot, p.name)
			require.Positive(t, *p.Spec.SecurityContext.RunAsUser, p.name)
			require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, p.Spec.SecurityContext.SeccompProfile.Type)
			require.False(t, p.Spec.HostNetwork || p.Spec.HostPID || p.Spec.HostIPC)
			s := p.container().SecurityContext
			require.False(t, *s.AllowPrivilegeEscalation, p.name)
			require.True(t, *s.ReadOnlyRootFilesystem, p.name)
			require.Equal(t, []corev1.Capability{"ALL"}, s.Capabilities.Drop)
			require.Empty(t, s.Capabilities.Add)
			require.Nil(t, s.RunAsUser)
			require.Nil(t, s.Privileged)
			for _, v := range p.Spec.Volumes {
				require.True(t, v.ConfigMap != nil || v.Secret != nil || v.EmptyDir != nil, "%s: %s", p.name, v.Name)
			}
			requests, limits := p.container().Resources.Requests, p.container().Resources.Limits
			require.False(t, requests.Cpu().IsZero() || limits.Memory().IsZero(), p.name)
		}
	})
}

// TestRunAsUserOfTheCluster leaves the user to the cluster.
func TestRunAsUserOfTheCluster(t *testing.T) {
	for _, p := range render(t, "examples/minimal.yaml", "--set", "runAsUser=null").pods(t) {
		require.Nil(t, p.Spec.SecurityContext.RunAsUser)
		require.Nil(t, p.Spec.SecurityContext.FSGroup)
		require.True(t, *p.Spec.SecurityContext.RunAsNonRoot)
	}
}

// TestVersioningIsOfWorkers checks that workers have a version, and that their scaler counts its tasks.
// The examples have none.
func TestVersioningIsOfWorkers(t *testing.T) {
	forEach(t, func(t *testing.T, r release) { require.NotContains(t, r.text, "TEMPORAL_WORKER_BUILD_ID") })
	r := render(t, "examples/everything.yaml", "--set", "worker.versioning.deploymentName=mirror,worker.versioning.buildId=v2.0")
	workers := 0
	for _, p := range r.pods(t) {
		of := variables(p)
		if p.part != "worker" {
			require.NotContains(t, of, "TEMPORAL_WORKER_BUILD_ID", p.name)
			continue
		}
		workers++
		require.Equal(t, "mirror", of["TEMPORAL_DEPLOYMENT_NAME"])
		require.Equal(t, "v2.0", of["TEMPORAL_WORKER_BUILD_ID"])
	}
	require.Positive(t, workers)
	triggers := 0
	for _, s := range objects[*scaledObject](r) {
		for _, trigger := range s.Spec.Triggers {
			if trigger.Type == "temporal" {
				triggers++
				require.Equal(t, "mirror", trigger.Metadata["workerDeploymentName"])
				require.Equal(t, "v2.0", trigger.Metadata["workerDeploymentBuildId"])
			}
		}
	}
	require.Positive(t, triggers)
}

// credential matches the variables that hold a credential.
func credential() *regexp.Regexp {
	return regexp.MustCompile(`^(CLOUD_MIRROR_(REDIS_URL|SOURCE_QUERY_KEYS|WORKER_PAYLOAD_KEYS)|TEMPORAL_API_KEY|` +
		`AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)|OTEL_EXPORTER_OTLP_HEADERS)$`)
}

// TestCredentialsAreReferences finds each credential by a reference to a Secret, and no Secret.
func TestCredentialsAreReferences(t *testing.T) {
	found := map[string]bool{}
	forEach(t, func(t *testing.T, r release) {
		require.NotContains(t, r.text, "kind: Secret\n")
		for _, p := range r.pods(t) {
			for _, e := range p.container().Env {
				if credential().MatchString(e.Name) {
					found[e.Name] = true
					require.Empty(t, e.Value, e.Name)
					require.NotEmpty(t, e.ValueFrom.SecretKeyRef.Name, e.Name)
					require.NotEmpty(t, e.ValueFrom.SecretKeyRef.Key, e.Name)
				}
			}
		}
	})
	require.Len(t, found, 7)
}

// TestFrontEndsHaveNoCredentialsOfTemporal checks that each part has the credentials that it needs.
func TestFrontEndsHaveNoCredentialsOfTemporal(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		for _, p := range r.pods(t) {
			_, namespace := variables(p)["TEMPORAL_NAMESPACE"]
			require.Equal(t, p.part != "frontend", namespace, p.name)
			_, queries := variables(p)["CLOUD_MIRROR_SOURCE_QUERY_KEYS"]
			require.Equal(t, p.part != "setup", queries, p.name)
			require.NotEmpty(t, variables(p)["TEMPORAL_ADDRESS"], "%s could copy from Temporal's address", p.name)
			if p.part != "frontend" {
				continue
			}
			for name := range variables(p) {
				require.True(t, !strings.HasPrefix(name, "TEMPORAL_") || name == "TEMPORAL_ADDRESS", name)
			}
			for _, v := range p.Spec.Volumes {
				require.NotContains(t, v.Name, "temporal")
			}
		}
	})
}

// secondsOf returns a duration constant of the product, such as shutdownGrace = 10 * time.Second.
func secondsOf(t *testing.T, file, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(root + "/" + file)
	require.NoError(t, err)
	found := regexp.MustCompile(`\b` + name + ` = (\d+) \* time\.Second\b`).FindStringSubmatch(string(text))
	require.NotNil(t, found, name)
	seconds, err := strconv.ParseInt(found[1], 10, 64)
	require.NoError(t, err)
	return seconds
}

// TestGracePeriods compares grace periods with what the product does after SIGTERM.
func TestGracePeriods(t *testing.T) {
	shutdown := secondsOf(t, "frontend/server.go", "shutdownGrace")
	handOver := secondsOf(t, "worker/worker.go", "stopTimeout")
	const spare = 10
	forEach(t, func(t *testing.T, r release) {
		for _, p := range r.pods(t) {
			switch grace := p.Spec.TerminationGracePeriodSeconds; p.part {
			case "frontend":
				drain := int64(configOf(t, r, p).Frontend.Drain.Seconds())
				require.Positive(t, drain)
				sleep := int64(0)
				if l := p.container().Lifecycle; l != nil {
					sleep = l.PreStop.Sleep.Seconds
				}
				require.GreaterOrEqual(t, *grace, sleep+drain+shutdown+spare)
			case "worker", "bridge":
				require.GreaterOrEqual(t, *grace, handOver+spare)
			default:
				require.Nil(t, grace)
			}
		}
	})
	r := render(t, "examples/everything.yaml")
	grace := named[*appsv1.Deployment](t, r, "cm-mirror-frontend").Spec.Template.Spec.TerminationGracePeriodSeconds
	require.EqualValues(t, 5+35+20, *grace)
}

// TestMemoryLimits compares memory limits with those of the Go runtime.
func TestMemoryLimits(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		for _, p := range r.pods(t) {
			cfg, limits := configOf(t, r, p), p.container().Resources.Limits
			limit := limits.Memory().Value()
			switch p.part {
			case "frontend":
				require.GreaterOrEqual(t, limit, cfg.FrontendMemoryLimit(cfg.Frontend.MaxConns), p.name)
			case "worker":
				require.GreaterOrEqual(t, limit, cfg.MemoryLimit(), p.name)
				for _, v := range p.Spec.Volumes {
					if v.EmptyDir != nil {
						require.Greater(t, v.EmptyDir.SizeLimit.Value(), int64(cfg.Worker.SpoolLimit))
					}
				}
			case "bridge":
				require.Contains(t, variables(p), "GOMEMLIMIT")
			}
		}
	})
}
