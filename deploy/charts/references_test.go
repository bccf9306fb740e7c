package charts

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// selected returns the pods that a selector matches. A selector without a match is a mistake.
func (r release) selected(t *testing.T, by map[string]string) (all []pod) {
	t.Helper()
	require.NotEmpty(t, by)
	for _, p := range r.pods(t) {
		if labels.SelectorFromSet(by).Matches(labels.Set(p.Labels)) {
			all = append(all, p)
		}
	}
	require.NotEmpty(t, all, "no pod has the labels %v", by)
	return all
}

// requirePort fails unless the pod has a port of that name or number.
func requirePort(t *testing.T, p pod, port intstr.IntOrString) {
	t.Helper()
	require.True(t, slices.ContainsFunc(p.container().Ports, func(c corev1.ContainerPort) bool {
		return c.Name == port.String() || strconv.Itoa(int(c.ContainerPort)) == port.String()
	}), "%s has no port %s", p.name, &port)
}

func TestSelectorsMatchPods(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		for _, d := range objects[*appsv1.Deployment](r) {
			matched := r.selected(t, d.Spec.Selector.MatchLabels)
			require.Len(t, matched, 1, "%s selects pods of another Deployment", d.Name)
			require.Equal(t, d.Name, matched[0].name)
		}
		for _, b := range objects[*policyv1.PodDisruptionBudget](r) {
			require.Equal(t, b.Name, r.selected(t, b.Spec.Selector.MatchLabels)[0].name)
		}
		for _, s := range objects[*corev1.Service](r) {
			for _, p := range r.selected(t, s.Spec.Selector) {
				for _, port := range s.Spec.Ports {
					if p.part == "setup" {
						continue // It has no port, so that no Service leads to it.
					}
					requirePort(t, p, port.TargetPort)
				}
			}
		}
		for _, n := range objects[*networkingv1.NetworkPolicy](r) {
			for _, p := range r.selected(t, n.Spec.PodSelector.MatchLabels) {
				require.Equal(t, p.hook, isHook(n), "the policy of %s is made at another time", p.name)
				for _, rule := range n.Spec.Ingress {
					requirePort(t, p, *rule.Ports[0].Port)
				}
			}
		}
		for _, m := range objects[*monitoringv1.ServiceMonitor](r) {
			services := slices.DeleteFunc(objects[*corev1.Service](r), func(s *corev1.Service) bool {
				return !labels.SelectorFromSet(m.Spec.Selector.MatchLabels).Matches(labels.Set(s.Labels))
			})
			require.Len(t, services, 1)
			require.Equal(t, services[0].Spec.Ports[0].Name, m.Spec.Endpoints[0].Port)
			require.Equal(t, "/metrics", m.Spec.Endpoints[0].Path)
		}
	})
}

func TestScalersHaveTargets(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		scaled := map[string]bool{}
		for _, h := range objects[*autoscalingv2.HorizontalPodAutoscaler](r) {
			require.LessOrEqual(t, *h.Spec.MinReplicas, h.Spec.MaxReplicas)
			scaled[h.Spec.ScaleTargetRef.Name] = true
		}
		for _, s := range objects[*scaledObject](r) {
			require.LessOrEqual(t, s.Spec.MinReplicaCount, s.Spec.MaxReplicaCount)
			scaled[s.Spec.ScaleTargetRef.Name] = true
			requireTriggers(t, r, s)
		}
		for _, a := range objects[*triggerAuthentication](r) {
			require.True(t, a.Spec.PodIdentity != nil || len(a.Spec.SecretTargetRef) > 0, a.Name)
			for _, ref := range a.Spec.SecretTargetRef {
				require.Contains(t, kedaParameters(), ref.Parameter)
			}
		}
		for name := range scaled {
			named[*appsv1.Deployment](t, r, name)
		}
		for _, d := range objects[*appsv1.Deployment](r) { // A scaler and a number would take turns.
			require.Equal(t, scaled[d.Name], d.Spec.Replicas == nil, d.Name)
		}
	})
}

// requireTriggers compares the triggers of a ScaledObject with the queues of the product.
func requireTriggers(t *testing.T, r release, s *scaledObject) {
	t.Helper()
	p := r.selected(t, named[*appsv1.Deployment](t, r, s.Spec.ScaleTargetRef.Name).Spec.Selector.MatchLabels)[0]
	var queues []string
	for _, trigger := range s.Spec.Triggers {
		for key, value := range trigger.Metadata {
			require.Contains(t, kedaMetadata()[trigger.Type], key)
			require.NotEmpty(t, value, key)
		}
		queues = append(queues, trigger.Metadata["taskQueue"])
		if name := trigger.AuthenticationRef.Name; name != "" {
			named[*triggerAuthentication](t, r, name)
		}
	}
	switch pool := p.Labels["cloud-mirror/pool"]; p.part {
	case "worker":
		require.Equal(t, []string{workflows.TaskQueue(pool), workflows.LargeTaskQueue(pool)}, queues)
	case "bridge":
		require.Equal(t, "aws-sqs-queue", s.Spec.Triggers[0].Type)
		queue := s.Spec.Triggers[0].Metadata["queueURL"]
		require.Equal(t, "/"+configOf(t, r, p).SQS.Queue, queue[strings.LastIndex(queue, "/"):])
	default:
		t.Fatalf("KEDA scales a %s", p.part)
	}
}

func TestRoutesLeadToFrontEnds(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		var hosts []string
		for _, i := range objects[*networkingv1.Ingress](r) {
			for _, rule := range i.Spec.Rules {
				hosts = append(hosts, rule.Host)
				backend := rule.HTTP.Paths[0].Backend.Service
				requireService(t, r, backend.Name, func(p corev1.ServicePort) bool { return p.Name == backend.Port.Name })
			}
			for _, tls := range i.Spec.TLS {
				require.NotEmpty(t, tls.SecretName)
				require.Len(t, tls.Hosts, len(i.Spec.Rules))
			}
		}
		for _, route := range objects[*gatewayv1.HTTPRoute](r) {
			for _, h := range route.Spec.Hostnames {
				hosts = append(hosts, string(h))
			}
			backend := route.Spec.Rules[0].BackendRefs[0]
			requireService(t, r, string(backend.Name), func(p corev1.ServicePort) bool { return p.Port == *backend.Port })
			requireGateway(t, r, route)
		}
		for _, p := range r.pods(t) {
			names := configOf(t, r, p).Frontend.PublicNames
			require.Subset(t, names, hosts, "a source could lead back to the front ends")
		}
	})
}

// requireGateway fails unless a route has a Gateway that terminates TLS for its hosts, in the
// release or named in the values.
func requireGateway(t *testing.T, r release, route *gatewayv1.HTTPRoute) {
	t.Helper()
	require.Len(t, route.Spec.ParentRefs, 1)
	gateways := objects[*gatewayv1.Gateway](r)
	if len(gateways) == 0 {
		require.Equal(t, "shared", string(route.Spec.ParentRefs[0].Name))
		return
	}
	require.Equal(t, gateways[0].Name, string(route.Spec.ParentRefs[0].Name))
	require.Len(t, gateways[0].Spec.Listeners, len(route.Spec.Hostnames))
	for i, l := range gateways[0].Spec.Listeners {
		require.Equal(t, gatewayv1.HTTPSProtocolType, l.Protocol)
		require.Equal(t, route.Spec.Hostnames[i], *l.Hostname)
		require.NotEmpty(t, l.TLS.CertificateRefs[0].Name)
	}
}

func requireService(t *testing.T, r release, name string, has func(corev1.ServicePort) bool) {
	t.Helper()
	service := named[*corev1.Service](t, r, name)
	require.True(t, slices.ContainsFunc(service.Spec.Ports, has), "%s has no such port", name)
	require.Equal(t, "frontend", r.selected(t, service.Spec.Selector)[0].part)
}

// TestVolumes compares mounts with volumes, and volumes with the objects of the release.
func TestVolumes(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		for _, p := range r.pods(t) {
			var mounts, volumes []string
			for _, m := range p.container().VolumeMounts {
				mounts = append(mounts, m.Name)
			}
			for _, v := range p.Spec.Volumes {
				volumes = append(volumes, v.Name)
				if v.Secret != nil {
					require.EqualValues(t, 0o440, *v.Secret.DefaultMode)
				}
				if v.ConfigMap != nil {
					c := named[*corev1.ConfigMap](t, r, v.ConfigMap.Name)
					require.Equal(t, p.hook, isHook(c), "the ConfigMap of %s is made at another time", p.name)
				}
			}
			require.Equal(t, volumes, mounts, p.name)
			for _, path := range pathsOf(p) {
				require.True(t, slices.ContainsFunc(p.container().VolumeMounts, func(m corev1.VolumeMount) bool {
					return strings.HasPrefix(path+"/", m.MountPath+"/")
				}), "%s: nothing is mounted at %s", p.name, path)
			}
			requireServiceAccount(t, r, p)
		}
	})
}

// pathsOf returns the paths in the arguments and variables of a pod.
func pathsOf(p pod) (paths []string) {
	for _, arg := range p.container().Args {
		if strings.HasPrefix(arg, "/") {
			paths = append(paths, arg)
		}
	}
	for _, e := range p.container().Env {
		if strings.HasPrefix(e.Value, "/") {
			paths = append(paths, e.Value)
		}
	}
	return paths
}

func requireServiceAccount(t *testing.T, r release, p pod) {
	t.Helper()
	account := named[*corev1.ServiceAccount](t, r, p.Spec.ServiceAccountName)
	require.Equal(t, p.hook, isHook(account), "the service account of %s is made at another time", p.name)
	require.False(t, *p.Spec.AutomountServiceAccountToken)
}

// TestRoleAnnotations finds the annotations of IRSA, and the name for EKS Pod Identity.
func TestRoleAnnotations(t *testing.T) {
	r := render(t, "examples/aws-temporal-cloud.yaml",
		"--set", "setup.serviceAccount.create=false,setup.serviceAccount.name=mine")
	for _, p := range r.pods(t) {
		if p.part == "setup" {
			require.Equal(t, "mine", p.Spec.ServiceAccountName)
			continue
		}
		account := named[*corev1.ServiceAccount](t, r, p.Spec.ServiceAccountName)
		require.Contains(t, account.Annotations["eks.amazonaws.com/role-arn"], "arn:aws:iam::012345678901:role/mirror-")
	}
	require.NotContains(t, accountNames(r), "mine")
	require.Contains(t, accountNames(r), "cm-cloud-mirror-worker")
}

func accountNames(r release) (names []string) {
	for _, o := range objects[*corev1.ServiceAccount](r) {
		names = append(names, metav1.Object(o).GetName())
	}
	return names
}
