package charts

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

func deployments(r release) (all []string) {
	for _, d := range objects[*appsv1.Deployment](r) {
		all = append(all, d.Name)
	}
	return all
}

// TestEachPoolHasWorkers renders a Deployment for each pool, unless worker.pools chooses some.
func TestEachPoolHasWorkers(t *testing.T) {
	two := "config.pools[1].region=us-east-1"
	require.ElementsMatch(t, []string{
		"cm-cloud-mirror-frontend", "cm-cloud-mirror-bridge",
		"cm-cloud-mirror-worker-s3-us-west-2", "cm-cloud-mirror-worker-s3-us-east-1",
	}, deployments(render(t, "examples/minimal.yaml", "--set", two)))
	require.ElementsMatch(t, []string{
		"cm-cloud-mirror-frontend", "cm-cloud-mirror-bridge", "cm-cloud-mirror-worker-s3-us-east-1",
	}, deployments(render(t, "examples/minimal.yaml", "--set", two, "--set-json", `worker.pools={"s3_us-east-1":{}}`)))
}

// TestValuesOfOnePool finds values of a pool, and those of all pools where it has none.
func TestValuesOfOnePool(t *testing.T) {
	r := render(t, "examples/everything.yaml")
	require.NotContains(t, deployments(r), "cm-mirror-worker-s3-eu-central-1")
	west, east := "cm-mirror-worker-s3-us-west-2", "cm-mirror-worker-s3-us-east-1"
	require.EqualValues(t, 40, named[*scaledObject](t, r, west).Spec.MaxReplicaCount)
	require.EqualValues(t, 1, named[*scaledObject](t, r, west).Spec.MinReplicaCount)
	require.Nil(t, named[*appsv1.Deployment](t, r, west).Spec.Replicas)
	require.EqualValues(t, 4, *named[*appsv1.Deployment](t, r, east).Spec.Replicas)
	for _, s := range objects[*scaledObject](r) {
		require.NotEqual(t, east, s.Name)
	}
}

// TestReleaseOfAnotherRegion renders the release of a cluster that has only workers.
func TestReleaseOfAnotherRegion(t *testing.T) {
	const values = "examples/aws-temporal-cloud.yaml"
	other := strings.Replace(readFile(t, values), "s3_us-west-2: {}", "s3_us-east-1: {}", 1)
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(other), 0o600))
	r := render(t, file, "--set", "frontend.enabled=false,bridge.enabled=false,setup.enabled=false,ingress.enabled=false")
	require.Equal(t, []string{"cm-cloud-mirror-worker-s3-us-east-1"}, deployments(r))
	services := objects[*corev1.Service](r)
	require.Len(t, services, 1)
	require.Equal(t, "cm-cloud-mirror-worker-admin", services[0].Name)
	require.Empty(t, objects[*batchv1.Job](r))
	require.Len(t, objects[*corev1.ServiceAccount](r), 1)
	require.Len(t, objects[*triggerAuthentication](r), 1)
	first := render(t, values)
	require.Equal(t, named[*corev1.ConfigMap](t, first, "cm-cloud-mirror-setup").Data,
		named[*corev1.ConfigMap](t, first, "cm-cloud-mirror").Data)
	pools := configOf(t, first, first.pods(t)[0]).Pools
	require.Equal(t, pools, configOf(t, r, r.pods(t)[0]).Pools, "all releases must have the same pools")
}

// TestPageReadsAllPods compares admin.metrics with the Services, whose names have the addresses of
// all pods, and with the ports of the pods.
func TestPageReadsAllPods(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		listed := map[string]bool{}
		for _, m := range configOf(t, r, r.pods(t)[0]).Admin.Metrics {
			u, err := url.Parse(m)
			require.NoError(t, err)
			require.Equal(t, "/metrics", u.Path)
			service := named[*corev1.Service](t, r, u.Hostname())
			require.Equal(t, corev1.ClusterIPNone, service.Spec.ClusterIP)
			for _, p := range r.selected(t, service.Spec.Selector) {
				listed[p.name] = true
				ports := p.container().Ports
				require.Equal(t, u.Port(), strconv.Itoa(int(ports[len(ports)-1].ContainerPort)))
			}
		}
		for _, p := range r.pods(t) {
			require.Equal(t, p.part != "setup", listed[p.name], p.name)
		}
	})
	r := render(t, "examples/minimal.yaml", "--set", "config.admin.metrics={http://elsewhere:8081/metrics}")
	require.Equal(t, []string{"http://elsewhere:8081/metrics"}, configOf(t, r, r.pods(t)[0]).Admin.Metrics)
}

// TestSetupIsAHook checks that Helm makes the objects of the Job before it, and keeps its log.
func TestSetupIsAHook(t *testing.T) {
	r := render(t, "examples/everything.yaml")
	hooks := 0
	for _, o := range r.all {
		if !isHook(o) {
			continue
		}
		hooks++
		require.Equal(t, "pre-install,pre-upgrade", o.GetAnnotations()["helm.sh/hook"])
		weight := o.GetAnnotations()["helm.sh/hook-weight"]
		if job, ok := o.(*batchv1.Job); ok {
			require.Empty(t, weight)
			require.Equal(t, "before-hook-creation", job.Annotations["helm.sh/hook-delete-policy"])
			require.Equal(t, corev1.RestartPolicyNever, job.Spec.Template.Spec.RestartPolicy)
			continue
		}
		n, err := strconv.Atoi(weight)
		require.NoError(t, err)
		require.Negative(t, n)
		require.Contains(t, o.GetAnnotations()["helm.sh/hook-delete-policy"], "hook-succeeded")
	}
	require.Equal(t, 4, hooks)
}

// TestNetworkPolicies compares who may call which part, and whom each part may call.
func TestNetworkPolicies(t *testing.T) {
	r := render(t, "examples/everything.yaml")
	for part, want := range map[string]struct {
		open     []string
		temporal bool
	}{
		"frontend": {[]string{"admin", "http"}, false},
		"worker":   {[]string{"admin"}, true},
		"bridge":   {[]string{"admin"}, true},
		"setup":    {nil, true},
	} {
		policy := named[*networkingv1.NetworkPolicy](t, r, "cm-mirror-"+part)
		require.Len(t, policy.Spec.PolicyTypes, 2)
		var open []string
		for _, rule := range policy.Spec.Ingress {
			open = append(open, rule.Ports[0].Port.String())
			require.NotEmpty(t, rule.From, part)
		}
		require.Equal(t, want.open, open, part)
		require.Equal(t, want.temporal, allows(policy, 7233), part)
		require.True(t, allows(policy, 53) && allows(policy, 26379) && allows(policy, 8443) && allows(policy, 4317), part)
		require.False(t, allows(policy, 5432), part)
		page := part == "worker" || part == "bridge"
		require.Equal(t, page, allows(policy, 8081), "%s reads the metrics of front ends", part)
		if part == "frontend" {
			require.Len(t, policy.Spec.Ingress[0].From, 3)
			for i, reader := range []string{"worker", "bridge"} {
				pods := map[string]string{"app.kubernetes.io/component": reader, "app.kubernetes.io/instance": "cm", "app.kubernetes.io/name": "mirror"}
				require.Equal(t, pods, policy.Spec.Ingress[0].From[i+1].PodSelector.MatchLabels)
			}
		}
	}
}

// allows reports whether a policy allows calls to a port.
func allows(policy *networkingv1.NetworkPolicy, port int) bool {
	for _, rule := range policy.Spec.Egress {
		for _, p := range rule.Ports {
			if p.Port.IntValue() == port {
				return true
			}
		}
	}
	return false
}
