{{- /* Refuses values that the schema can't judge. All mistakes are in one message. */ -}}
{{- define "cloud-mirror.validate" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}
{{- if not $v.image.repository }}{{ $wrong = append $wrong "image.repository: is not set" }}{{ end -}}
{{- if not $v.config.pools }}{{ $wrong = append $wrong "config.pools: is empty" }}{{ end -}}
{{- if not $v.secrets.redis.existingSecret }}{{ $wrong = append $wrong "secrets.redis.existingSecret: is not set" }}{{ end -}}
{{- if and (not $v.secrets.queryKeys.existingSecret) (or $v.frontend.enabled $v.worker.enabled $v.bridge.enabled) -}}
{{- $wrong = append $wrong "secrets.queryKeys.existingSecret: is not set" -}}
{{- end -}}
{{- if not (regexMatch "^.+:[0-9]+$" $v.temporal.address) }}{{ $wrong = append $wrong (printf "temporal.address: %q is not a host and a port" $v.temporal.address) }}{{ end -}}
{{- if not (or $v.frontend.enabled $v.worker.enabled $v.bridge.enabled $v.setup.enabled) }}{{ $wrong = append $wrong "frontend.enabled: is false, and so are worker, bridge and setup: the release has nothing to run" }}{{ end -}}
{{- $wrong = concat $wrong (include "cloud-mirror.wrongConfig" . | fromJsonArray) (include "cloud-mirror.wrongEnv" . | fromJsonArray) -}}
{{- $wrong = concat $wrong (include "cloud-mirror.wrongPools" . | fromJsonArray) (include "cloud-mirror.wrongScaling" . | fromJsonArray) -}}
{{- $wrong = concat $wrong (include "cloud-mirror.wrongRoutes" . | fromJsonArray) -}}
{{- with $v.worker.versioning -}}
{{- if ne (empty .deploymentName) (empty .buildId) -}}
{{- $wrong = append $wrong "worker.versioning: deploymentName and buildId belong together: set both, or neither" -}}
{{- end -}}
{{- end -}}
{{- if and $v.secrets.codecTokens.existingSecret (not $v.secrets.payloadKeys.existingSecret) -}}
{{- $wrong = append $wrong "secrets.codecTokens: is set, and secrets.payloadKeys is not: there is nothing to decode" -}}
{{- end -}}
{{- if $wrong }}{{ fail (printf "\n%s" (join "\n" $wrong)) }}{{ end -}}
{{- end -}}

{{- /* Settings that a ConfigMap must not hold, or that the chart decides. */ -}}
{{- define "cloud-mirror.wrongConfig" -}}
{{- $wrong := list -}}
{{- $instead := dict
  "redis.url" "is a credential: put it into a Secret, and name that in secrets.redis"
  "source.query_keys" "is a credential: put it into a Secret, and name that in secrets.queryKeys"
  "worker.payload_keys" "is a credential: put it into a Secret, and name that in secrets.payloadKeys"
  "frontend.tokens_file" "is set by the chart: name a Secret in secrets.tokens"
  "worker.codec_tokens_file" "is set by the chart: name a Secret in secrets.codecTokens"
  "worker.codec_listen" "is set by the chart: name a Secret in secrets.codecTokens"
  "frontend.drain" "is set by the chart: set frontend.drainSeconds"
  "frontend.listen" "is set by the chart" "frontend.admin_listen" "is set by the chart"
  "worker.admin_listen" "is set by the chart" "worker.spool_dir" "is set by the chart"
  "worker.copy" "is set by the chart: set worker.enabled"
  "worker.bridge" "is set by the chart: set bridge.enabled"
  "worker.pools" "is set by the chart: list the pools in worker.pools of the chart" -}}
{{- range $key := keys $instead | sortAlpha -}}
{{- $at := splitList "." $key -}}
{{- if hasKey (get $.Values.config (first $at) | default dict) (last $at) -}}
{{- $wrong = append $wrong (printf "config.%s: %s" $key (get $instead $key)) -}}
{{- end -}}
{{- end -}}
{{- range (get $.Values.config "admin" | default dict).metrics -}}
{{- if contains "@" . -}}
{{- $wrong = append $wrong "config.admin.metrics: has a credential: put the URLs into a Secret, and CLOUD_MIRROR_ADMIN_METRICS with a secretKeyRef into worker.extraEnv" -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{- /* Credentials in the text of a Deployment. */ -}}
{{- define "cloud-mirror.wrongEnv" -}}
{{- $wrong := list -}}
{{- $secret := "^(CLOUD_MIRROR_(REDIS_URL|SOURCE_QUERY_KEYS|WORKER_PAYLOAD_KEYS|TOKEN)|TEMPORAL_(API_KEY|TLS_CLIENT_KEY_DATA|CODEC_AUTH)|TEMPORAL_GRPC_META_.*|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|OTEL_EXPORTER_OTLP_.*HEADERS)$" -}}
{{- $parts := dict "frontend" .Values.frontend "worker" .Values.worker "bridge" .Values.bridge "setup" .Values.setup -}}
{{- range $id, $values := .Values.worker.pools }}{{ $_ := set $parts (printf "worker.pools.%s" $id) ($values | default dict) }}{{ end -}}
{{- range $name, $values := $parts -}}
{{- range $values.extraEnv -}}
{{- if and (hasKey . "value") (or (regexMatch $secret .name) (and (eq .name "CLOUD_MIRROR_ADMIN_METRICS") (contains "@" .value))) -}}
{{- $wrong = append $wrong (printf "%s.extraEnv: %s is a credential: use valueFrom with a secretKeyRef" $name .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{- define "cloud-mirror.wrongPools" -}}
{{- $wrong := list -}}
{{- $configured := include "cloud-mirror.configured" . | fromJsonArray -}}
{{- range $id := keys .Values.worker.pools | sortAlpha -}}
{{- if not (has $id $configured) -}}
{{- $wrong = append $wrong (printf "worker.pools: %q is not the id of a pool in config.pools, such as s3_us-west-2" $id) -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{- define "cloud-mirror.wrongScaling" -}}
{{- $wrong := list -}}
{{- $v := .Values -}}
{{- $scalers := dict "frontend.autoscaling" $v.frontend.autoscaling "bridge.keda" $v.bridge.keda -}}
{{- range $id, $values := include "cloud-mirror.workers" . | fromJson }}{{ $_ := set $scalers (printf "worker.keda of %s" $id) $values.keda }}{{ end -}}
{{- range $name, $s := $scalers -}}
{{- if and $s.enabled (gt (int $s.minReplicas) (int $s.maxReplicas)) -}}
{{- $wrong = append $wrong (printf "%s: minReplicas, %d, is greater than maxReplicas, %d" $name (int $s.minReplicas) (int $s.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.frontend.autoscaling.enabled (not (dig "requests" "cpu" "" $v.frontend.resources)) -}}
{{- $wrong = append $wrong "frontend.autoscaling: is enabled, and frontend.resources.requests.cpu is not set: there is nothing to compare with" -}}
{{- end -}}
{{- if and $v.bridge.keda.enabled (not $v.bridge.keda.queueURL) -}}
{{- $wrong = append $wrong "bridge.keda.queueURL: is not set" -}}
{{- end -}}
{{- if and $v.bridge.keda.enabled (not (dig "sqs" "region" $v.aws.region $v.config)) -}}
{{- $wrong = append $wrong "bridge.keda: needs the region of the queue: set aws.region or config.sqs.region" -}}
{{- end -}}
{{- if and (include "cloud-mirror.workersScaled" .) (or $v.temporal.tls.enabled $v.temporal.tls.caSecret) (not (include "cloud-mirror.temporalAuth" .)) -}}
{{- $wrong = append $wrong "worker.keda: KEDA connects with TLS only with temporal.apiKey or temporal.tls.clientSecret" -}}
{{- end -}}
{{- if and (include "cloud-mirror.workersScaled" .) $v.temporal.tls.caSecret (not $v.temporal.tls.clientSecret) (include "cloud-mirror.temporalAuth" .) -}}
{{- $wrong = append $wrong "worker.keda: KEDA reads temporal.tls.caSecret only with temporal.tls.clientSecret" -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}

{{- define "cloud-mirror.wrongRoutes" -}}
{{- $wrong := list -}}
{{- $v := .Values -}}
{{- range $name := list "ingress" "gateway" -}}
{{- $route := get $v $name -}}
{{- if and $route.enabled (not $route.hosts) }}{{ $wrong = append $wrong (printf "%s.hosts: is empty" $name) }}{{ end -}}
{{- if and $route.enabled (not $v.frontend.enabled) }}{{ $wrong = append $wrong (printf "%s.enabled: is true, and frontend.enabled is not" $name) }}{{ end -}}
{{- if and $route.enabled (not (hasKey ($v.config.region | default dict) "trusted_hops")) -}}
{{- $wrong = append $wrong (printf "config.region.trusted_hops: is not set: with %s.enabled it is the number of proxies, and limits per client need it" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled $v.ingress.tls.enabled (not $v.ingress.tls.secretName) -}}
{{- $wrong = append $wrong "ingress.tls.secretName: is not set; if the load balancer holds the certificate, set ingress.tls.enabled to false" -}}
{{- end -}}
{{- with $v.gateway -}}
{{- if and .enabled .parentRefs (or .className .tls.secretName) -}}
{{- $wrong = append $wrong "gateway.parentRefs: is set, and so is gateway.className or gateway.tls.secretName, which are for a Gateway that the chart makes" -}}
{{- end -}}
{{- if and .enabled (not .parentRefs) (not (and .className .tls.secretName)) -}}
{{- $wrong = append $wrong "gateway.parentRefs: is empty, and the Gateway that the chart makes needs gateway.className and gateway.tls.secretName" -}}
{{- end -}}
{{- end -}}
{{- toJson $wrong -}}
{{- end -}}
