package charts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// release holds the decoded objects of a rendered chart.
type release struct {
	text string
	all  []metav1.Object
}

// kinds returns an empty object of each kind that the chart makes.
func kinds() map[string]func() metav1.Object {
	return map[string]func() metav1.Object{
		"v1/ConfigMap":                            func() metav1.Object { return &corev1.ConfigMap{} },
		"v1/Service":                              func() metav1.Object { return &corev1.Service{} },
		"v1/ServiceAccount":                       func() metav1.Object { return &corev1.ServiceAccount{} },
		"apps/v1/Deployment":                      func() metav1.Object { return &appsv1.Deployment{} },
		"batch/v1/Job":                            func() metav1.Object { return &batchv1.Job{} },
		"policy/v1/PodDisruptionBudget":           func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
		"autoscaling/v2/HorizontalPodAutoscaler":  func() metav1.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
		"networking.k8s.io/v1/Ingress":            func() metav1.Object { return &networkingv1.Ingress{} },
		"networking.k8s.io/v1/NetworkPolicy":      func() metav1.Object { return &networkingv1.NetworkPolicy{} },
		"gateway.networking.k8s.io/v1/Gateway":    func() metav1.Object { return &gatewayv1.Gateway{} },
		"gateway.networking.k8s.io/v1/HTTPRoute":  func() metav1.Object { return &gatewayv1.HTTPRoute{} },
		"monitoring.coreos.com/v1/ServiceMonitor": func() metav1.Object { return &monitoringv1.ServiceMonitor{} },
		"monitoring.coreos.com/v1/PrometheusRule": func() metav1.Object { return &monitoringv1.PrometheusRule{} },
		"keda.sh/v1alpha1/ScaledObject":           func() metav1.Object { return &scaledObject{} },
		"keda.sh/v1alpha1/TriggerAuthentication":  func() metav1.Object { return &triggerAuthentication{} },
	}
}

// render renders the chart as the release cm, and decodes its objects strictly.
func render(t *testing.T, file string, args ...string) release {
	t.Helper()
	text, err := helm(t, append([]string{"template", "cm", chart, "-f", file}, args...)...)
	require.NoError(t, err)
	r := release{text: text}
	for document := range strings.SplitSeq("\n"+text, "\n---\n") {
		var of metav1.TypeMeta
		require.NoError(t, yaml.Unmarshal([]byte(document), &of), document)
		if of.Kind == "" {
			continue // Comments
		}
		object, err := decode(of, document)
		require.NoError(t, err, document)
		r.all = append(r.all, object)
	}
	return r
}

// decode decodes an object. It refuses fields that its type does not have, and keys that are double.
func decode(of metav1.TypeMeta, document string) (metav1.Object, error) {
	newObject, ok := kinds()[of.APIVersion+"/"+of.Kind]
	if !ok {
		return nil, &unknownKindError{of}
	}
	object := newObject()
	return object, yaml.UnmarshalStrict([]byte(document), object)
}

type unknownKindError struct{ metav1.TypeMeta }

func (e *unknownKindError) Error() string { return "no such kind: " + e.APIVersion + "/" + e.Kind }

// objects returns the objects of a type.
func objects[T metav1.Object](r release) (all []T) {
	for _, object := range r.all {
		if o, ok := object.(T); ok {
			all = append(all, o)
		}
	}
	return all
}

// named returns the object of a type with a name.
func named[T metav1.Object](t *testing.T, r release, name string) T {
	t.Helper()
	all := objects[T](r)
	i := slices.IndexFunc(all, func(o T) bool { return o.GetName() == name })
	require.GreaterOrEqual(t, i, 0, "no %T %s", *new(T), name)
	return all[i]
}

// isHook reports whether Helm makes the object before the release.
func isHook(o metav1.Object) bool { return o.GetAnnotations()["helm.sh/hook"] != "" }

// pod is the template of a Deployment's or a Job's pods.
type pod struct {
	name string // Of the Deployment or the Job
	hook bool
	part string
	corev1.PodTemplateSpec
}

func (p pod) container() corev1.Container { return p.Spec.Containers[0] }

// pods returns the templates of all pods. Each has one container.
func (r release) pods(t *testing.T) (all []pod) {
	t.Helper()
	for _, d := range objects[*appsv1.Deployment](r) {
		all = append(all, pod{name: d.Name, PodTemplateSpec: d.Spec.Template})
	}
	for _, j := range objects[*batchv1.Job](r) {
		all = append(all, pod{name: j.Name, hook: isHook(j), PodTemplateSpec: j.Spec.Template})
	}
	require.NotEmpty(t, all)
	for i := range all {
		require.Len(t, all[i].Spec.Containers, 1)
		require.Empty(t, all[i].Spec.InitContainers)
		all[i].part = all[i].Labels["app.kubernetes.io/component"]
	}
	return all
}

func TestDecodeIsStrict(t *testing.T) {
	of := metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}
	for document, wrong := range map[string]string{
		"spec: {maxUnavailable: 1}":                    "",
		"spec: {maxUnavailible: 1}":                    "unknown field",
		"spec: {maxUnavailable: 1, maxUnavailable: 2}": "already set in map",
		"spec: {selector: []}":                         "cannot unmarshal array",
	} {
		_, err := decode(of, document)
		if wrong == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, wrong, document)
		}
	}
	_, err := decode(metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, "{}")
	require.ErrorContains(t, err, "no such kind: v1/Secret")
}

// TestEachKindIsRendered fails if no file of examples makes an object of a kind.
func TestEachKindIsRendered(t *testing.T) {
	made := map[string]bool{}
	forEach(t, func(t *testing.T, r release) {
		names := map[string]bool{}
		for _, o := range r.all {
			kind := fmt.Sprintf("%T", o)
			made[kind] = true
			require.False(t, names[kind+o.GetName()], "two objects are %s %s", kind, o.GetName())
			names[kind+o.GetName()] = true
		}
	})
	for kind, newObject := range kinds() {
		require.True(t, made[fmt.Sprintf("%T", newObject())], kind)
	}
}
