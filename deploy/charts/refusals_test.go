package charts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRefusals renders examples/minimal.yaml with one mistake each. Its positive controls are the same
// values without the mistake, in the column right.
func TestRefusals(t *testing.T) {
	const (
		queue  = `queueURL: "https://q.example.com/1/cloud-mirror"`
		behind = `config: {region: {trusted_hops: 1}}`
	)
	for name, tc := range map[string]struct {
		wrong, right string // Values
		message      string
	}{
		"no pools": {
			`config: {pools: []}`, `config: {pools: [{region: us-west-2}]}`,
			`config.pools: is empty`,
		},
		"a pool without a region": {
			`config: {pools: [{bucket: b}]}`, `config: {pools: [{bucket: bucket, region: us-west-2}]}`,
			`at '/config/pools/0': missing property 'region'`,
		},
		"no image": {
			`image: {repository: ""}`, `image: {repository: r}`,
			`image.repository: is not set`,
		},
		"an unknown value": {
			`frontend: {replica: 3}`, `frontend: {replicas: 3}`,
			`at '/frontend': additional properties 'replica' not allowed`,
		},
		"an unknown setting": {
			`config: {frontend: {max_wiat: 5s}}`, `config: {frontend: {max_wait: 5s}}`,
			`at '/config/frontend': additional properties 'max_wiat' not allowed`,
		},
		"an unknown setting of a pool": {
			`config: {pools: [{region: us-west-2, buckt: bucket}]}`, `config: {pools: [{region: us-west-2, bucket: bucket}]}`,
			`at '/config/pools/0': additional properties 'buckt' not allowed`,
		},
		"a value of another type": {
			`frontend: {replicas: many}`, `frontend: {replicas: 3}`,
			`at '/frontend/replicas': got string, want integer`,
		},
		"root": {
			`runAsUser: 0`, `runAsUser: 1000`,
			`at '/runAsUser': minimum: got 0, want 1`,
		},
		"an unknown worker pool": {
			`worker: {pools: {s3_us-east-1: {}}}`, `worker: {pools: {s3_us-west-2: {}}}`,
			`worker.pools: "s3_us-east-1" is not the id of a pool in config.pools, such as s3_us-west-2`,
		},
		"a worker pool without a mapping": {
			`worker: {pools: {s3_us-west-2: }}`, `worker: {pools: {s3_us-west-2: {}}}`,
			`at '/worker/pools/s3_us-west-2': got null, want object`,
		},
		"an unknown value of a worker pool": {
			`worker: {pools: {s3_us-west-2: {replica: 3}}}`, `worker: {pools: {s3_us-west-2: {replicas: 3}}}`,
			`at '/worker/pools/s3_us-west-2': additional properties 'replica' not allowed`,
		},
		"minimum above maximum": {
			`frontend: {autoscaling: {enabled: true, minReplicas: 11}}`,
			`frontend: {autoscaling: {enabled: true, minReplicas: 10}}`,
			`frontend.autoscaling: minReplicas, 11, is greater than maxReplicas, 10`,
		},
		"minimum above maximum of one pool": {
			`worker: {pools: {s3_us-west-2: {keda: {enabled: true, minReplicas: 11}}}}`,
			`worker: {pools: {s3_us-west-2: {keda: {enabled: true, minReplicas: 10}}}}`,
			`worker.keda of s3_us-west-2: minReplicas, 11, is greater than maxReplicas, 10`,
		},
		"a build without a deployment": {
			`worker: {versioning: {buildId: v2}}`, `worker: {versioning: {deploymentName: mirror, buildId: v2}}`,
			`worker.versioning: deploymentName and buildId belong together: set both, or neither`,
		},
		"a deployment without a build": {
			`worker: {versioning: {deploymentName: mirror}}`, `worker: {versioning: {deploymentName: mirror, buildId: v2}}`,
			`worker.versioning: deploymentName and buildId belong together: set both, or neither`,
		},
		"a deployment with a dot": {
			`worker: {versioning: {deploymentName: a.b, buildId: v2}}`, `worker: {versioning: {deploymentName: a-b, buildId: v2}}`,
			`at '/worker/versioning/deploymentName': 'a.b' does not match pattern`,
		},
		"autoscaling without a request": {
			`frontend: {autoscaling: {enabled: true}, resources: {requests: {cpu: null}}}`,
			`frontend: {autoscaling: {enabled: true}, resources: {requests: {cpu: 1}}}`,
			`frontend.resources.requests.cpu is not set`,
		},
		"no bridge at all": {
			`bridge: {keda: {enabled: true, minReplicas: 0, ` + queue + `}}, aws: {region: us-west-2}`,
			`bridge: {keda: {enabled: true, minReplicas: 1, ` + queue + `}}, aws: {region: us-west-2}`,
			`at '/bridge/keda/minReplicas': minimum: got 0, want 1`,
		},
		"KEDA without a queue": {
			`bridge: {keda: {enabled: true}}, aws: {region: us-west-2}`,
			`bridge: {keda: {enabled: true, ` + queue + `}}, aws: {region: us-west-2}`,
			`bridge.keda.queueURL: is not set`,
		},
		"KEDA without a region": {
			`bridge: {keda: {enabled: true, ` + queue + `}}`,
			`bridge: {keda: {enabled: true, ` + queue + `}}, config: {sqs: {region: us-west-2}}`,
			`bridge.keda: needs the region of the queue`,
		},
		"KEDA with TLS and no credential": {
			`worker: {keda: {enabled: true}}, temporal: {tls: {enabled: true}}`,
			`worker: {keda: {enabled: true}}, temporal: {tls: {enabled: true, clientSecret: temporal}}`,
			`worker.keda: KEDA connects with TLS only with temporal.apiKey or temporal.tls.clientSecret`,
		},
		"KEDA with an authority and an API key": {
			`worker: {keda: {enabled: true}}, temporal: {apiKey: {existingSecret: k}, tls: {caSecret: a}}`,
			`worker: {keda: {enabled: true}}, temporal: {apiKey: {existingSecret: k}}`,
			`worker.keda: KEDA reads temporal.tls.caSecret only with temporal.tls.clientSecret`,
		},
		"an Ingress without a host": {
			`ingress: {enabled: true, tls: {secretName: tls}}, ` + behind,
			`ingress: {enabled: true, tls: {secretName: tls}, hosts: [m.example.com]}, ` + behind,
			`ingress.hosts: is empty`,
		},
		"an Ingress without a certificate": {
			`ingress: {enabled: true, hosts: [m.example.com]}, ` + behind,
			`ingress: {enabled: true, hosts: [m.example.com], tls: {enabled: false}}, ` + behind,
			`ingress.tls.secretName: is not set; if the load balancer holds the certificate, set ingress.tls.enabled to false`,
		},
		"an Ingress whose proxy is not trusted": {
			`ingress: {enabled: true, hosts: [m.example.com], tls: {secretName: tls}}`,
			`ingress: {enabled: true, hosts: [m.example.com], tls: {secretName: tls}}, config: {region: {trusted_hops: 0}}`,
			`config.region.trusted_hops: is not set: with ingress.enabled it is the number of proxies`,
		},
		"an Ingress without front ends": {
			`ingress: {enabled: true, hosts: [m.example.com], tls: {secretName: tls}}, ` + behind +
				`, frontend: {enabled: false}`,
			`frontend: {enabled: false}`,
			`ingress.enabled: is true, and frontend.enabled is not`,
		},
		"a host with a port": {
			`ingress: {enabled: true, hosts: ["m.example.com:8443"], tls: {secretName: tls}}, ` + behind,
			`ingress: {enabled: true, hosts: ["m.example.com"], tls: {secretName: tls}}, ` + behind,
			`at '/ingress/hosts/0': 'm.example.com:8443' does not match pattern`,
		},
		"a route without a Gateway": {
			`gateway: {enabled: true, hosts: [m.example.com]}, ` + behind,
			`gateway: {enabled: true, hosts: [m.example.com], parentRefs: [{name: shared}]}, ` + behind,
			`gateway.parentRefs: is empty, and the Gateway that the chart makes needs gateway.className and` +
				` gateway.tls.secretName`,
		},
		"a route with two Gateways": {
			`gateway: {enabled: true, hosts: [m.example.com], parentRefs: [{name: shared}], className: c}, ` + behind,
			`gateway: {enabled: true, hosts: [m.example.com], className: c, tls: {secretName: tls}}, ` + behind,
			`gateway.parentRefs: is set, and so is gateway.className or gateway.tls.secretName`,
		},
		"the URL of redis in the configuration": {
			`config: {redis: {url: "redis://:pass@redis:6379"}}`, `config: {redis: {timeout: 100ms}}`,
			`config.redis.url: is a credential: put it into a Secret, and name that in secrets.redis`,
		},
		"keys in the configuration": {
			`config: {source: {query_keys: [k]}, worker: {payload_keys: [k]}}`,
			`config: {source: {timeout: 5s}, worker: {parts: 4}}`,
			`config.worker.payload_keys: is a credential: put it into a Secret, and name that in secrets.payloadKeys`,
		},
		"a password of metrics in the configuration": {
			`config: {admin: {metrics: ["http://front:8081/metrics", "http://u:p@front:8081/metrics"]}}`,
			`config: {admin: {metrics: ["http://front:8081/metrics"]}}`,
			`config.admin.metrics: has a credential: put the URLs into a Secret`,
		},
		"a password of metrics in a variable": {
			`worker: {extraEnv: [{name: CLOUD_MIRROR_ADMIN_METRICS, value: "http://u:p@front:8081/metrics"}]}`,
			`worker: {extraEnv: [{name: CLOUD_MIRROR_ADMIN_METRICS, value: "http://front:8081/metrics"}]}`,
			`worker.extraEnv: CLOUD_MIRROR_ADMIN_METRICS is a credential: use valueFrom with a secretKeyRef`,
		},
		"a credential in a variable": {
			`worker: {extraEnv: [{name: AWS_SECRET_ACCESS_KEY, value: s}]}`,
			`worker: {extraEnv: [{name: AWS_SECRET_ACCESS_KEY, valueFrom: {secretKeyRef: {name: aws, key: k}}}]}`,
			`worker.extraEnv: AWS_SECRET_ACCESS_KEY is a credential: use valueFrom with a secretKeyRef`,
		},
		"a credential in a variable of one pool": {
			`worker: {pools: {s3_us-west-2: {extraEnv: [{name: TEMPORAL_API_KEY, value: s}]}}}`,
			`worker: {pools: {s3_us-west-2: {extraEnv: [{name: OTEL_SERVICE_NAME, value: s}]}}}`,
			`worker.pools.s3_us-west-2.extraEnv: TEMPORAL_API_KEY is a credential: use valueFrom with a secretKeyRef`,
		},
		"a credential in the values": {
			`secrets: {redis: {url: "redis://:pass@redis:6379"}}`, `secrets: {redis: {key: redis-url}}`,
			`at '/secrets/redis': additional properties 'url' not allowed`,
		},
		"no Secret for redis": {
			`secrets: {redis: {existingSecret: ""}}`, `secrets: {redis: {existingSecret: r}}`,
			`secrets.redis.existingSecret: is not set`,
		},
		"no Secret for keys": {
			`secrets: {queryKeys: {existingSecret: ""}}`, `secrets: {queryKeys: {existingSecret: k}}`,
			`secrets.queryKeys.existingSecret: is not set`,
		},
		"a codec server without keys": {
			`secrets: {codecTokens: {existingSecret: c}}`,
			`secrets: {codecTokens: {existingSecret: c}, payloadKeys: {existingSecret: p}}`,
			`secrets.codecTokens: is set, and secrets.payloadKeys is not: there is nothing to decode`,
		},
		"a listener of the chart": {
			`config: {frontend: {admin_listen: ":9000"}}`, `config: {frontend: {max_conns: 30000}}`,
			`config.frontend.admin_listen: is set by the chart`,
		},
		"a drain in the configuration": {
			`config: {frontend: {drain: 90s}}`, `frontend: {drainSeconds: 90}`,
			`config.frontend.drain: is set by the chart: set frontend.drainSeconds`,
		},
		"a grace period below the hand-over": {
			`worker: {terminationGracePeriodSeconds: 5}`, `worker: {terminationGracePeriodSeconds: 30}`,
			`at '/worker/terminationGracePeriodSeconds': minimum: got 5, want 30`,
		},
		"an address without a port": {
			`temporal: {address: temporal.example.com}`, `temporal: {address: "temporal.example.com:7233"}`,
			`temporal.address: "temporal.example.com" is not a host and a port`,
		},
		"a release without a part": {
			`frontend: {enabled: false}, worker: {enabled: false}, bridge: {enabled: false}, setup: {enabled: false}`,
			`frontend: {enabled: false}, bridge: {enabled: false}, setup: {enabled: false}`,
			`the release has nothing to run`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := templateMinimal(t, tc.right)
			require.NoError(t, err, "the positive control")
			out, err := templateMinimal(t, tc.wrong)
			require.ErrorContains(t, err, tc.message)
			require.NotContains(t, out, "kind: Deployment")
			require.NotContains(t, err.Error(), "pass@")
		})
	}
}

// templateMinimal renders examples/minimal.yaml with further values, a flow mapping without its braces.
func templateMinimal(t *testing.T, values string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte("{"+values+"}"), 0o600))
	return helm(t, "template", "cm", chart, "-f", "examples/minimal.yaml", "-f", file)
}

// TestMistakesAreInOneMessage shows all mistakes of the chart's default values at once.
func TestMistakesAreInOneMessage(t *testing.T) {
	_, err := helm(t, "template", "cm", chart)
	for _, message := range []string{
		"image.repository: is not set", "config.pools: is empty", "secrets.redis.existingSecret: is not set",
		"secrets.queryKeys.existingSecret: is not set", `temporal.address: "" is not a host and a port`,
	} {
		require.ErrorContains(t, err, message)
	}
}
