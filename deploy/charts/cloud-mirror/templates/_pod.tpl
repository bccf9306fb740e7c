{{- /* Variables of a container: (dict "root" $ "part" "worker" "values" …). */ -}}
{{- define "cloud-mirror.env" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $temporal := .root.Values.temporal -}}
{{- $frontend := eq .part "frontend" -}}
- name: CLOUD_MIRROR_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ $secrets.redis.existingSecret }}, key: {{ $secrets.redis.key }}}}
{{- if ne .part "setup" }}
- name: CLOUD_MIRROR_SOURCE_QUERY_KEYS
  valueFrom: {secretKeyRef: {name: {{ $secrets.queryKeys.existingSecret }}, key: {{ $secrets.queryKeys.key }}}}
{{- end }}
{{- if and $frontend $secrets.tokens.existingSecret }}
- name: CLOUD_MIRROR_FRONTEND_TOKENS_FILE
  value: /etc/cloud-mirror/tokens/tokens
{{- end }}
{{- if and (not $frontend) $secrets.payloadKeys.existingSecret }}
- name: CLOUD_MIRROR_WORKER_PAYLOAD_KEYS
  valueFrom: {secretKeyRef: {name: {{ $secrets.payloadKeys.existingSecret }}, key: {{ $secrets.payloadKeys.key }}}}
{{- end }}
{{- if eq .part "worker" }}
{{- with .root.Values.worker.versioning }}
{{- if .deploymentName }}
- name: TEMPORAL_DEPLOYMENT_NAME
  value: {{ .deploymentName | quote }}
- name: TEMPORAL_WORKER_BUILD_ID
  value: {{ .buildId | quote }}
{{- end }}
{{- end }}
- name: CLOUD_MIRROR_WORKER_SPOOL_DIR
  value: /var/spool/cloud-mirror
{{- end }}
{{- if eq .part "bridge" }}
- name: GOMEMLIMIT
  valueFrom: {resourceFieldRef: {resource: limits.memory}}
{{- if $secrets.codecTokens.existingSecret }}
- name: CLOUD_MIRROR_WORKER_CODEC_LISTEN
  value: 127.0.0.1:8083
- name: CLOUD_MIRROR_WORKER_CODEC_TOKENS_FILE
  value: /etc/cloud-mirror/tokens/tokens
{{- end }}
{{- end }}
{{- /* A front end does not connect to Temporal. It refuses sources at this address. */}}
- name: TEMPORAL_ADDRESS
  value: {{ $temporal.address | quote }}
{{- if not $frontend }}
- name: TEMPORAL_NAMESPACE
  value: {{ $temporal.namespace | quote }}
{{- if $temporal.apiKey.existingSecret }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ $temporal.apiKey.existingSecret }}, key: {{ $temporal.apiKey.key }}}}
{{- end }}
{{- with $temporal.tls }}
{{- if or .enabled .clientSecret .caSecret $temporal.apiKey.existingSecret }}
- name: TEMPORAL_TLS
  value: "true"
{{- end }}
{{- if .clientSecret }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/cloud-mirror/temporal-client/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/cloud-mirror/temporal-client/tls.key
{{- end }}
{{- if .caSecret }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/cloud-mirror/temporal-ca/ca.crt
{{- end }}
{{- with .serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .root.Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with $secrets.aws }}
{{- if .existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .accessKeyID }}}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .secretAccessKey }}}}
{{- end }}
{{- end }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Secret with the file of tokens of a part, or nothing. */ -}}
{{- define "cloud-mirror.tokens" -}}
{{- if eq .part "frontend" }}{{ toJson .root.Values.secrets.tokens }}
{{- else if eq .part "bridge" }}{{ toJson .root.Values.secrets.codecTokens }}
{{- else }}{}{{ end -}}
{{- end -}}

{{- define "cloud-mirror.mounts" -}}
- {name: config, mountPath: /etc/cloud-mirror/config, readOnly: true}
{{- if (include "cloud-mirror.tokens" . | fromJson).existingSecret }}
- {name: tokens, mountPath: /etc/cloud-mirror/tokens, readOnly: true}
{{- end }}
{{- if eq .part "worker" }}
- {name: spool, mountPath: /var/spool/cloud-mirror}
{{- end }}
{{- if ne .part "frontend" }}
{{- if .root.Values.temporal.tls.clientSecret }}
- {name: temporal-client, mountPath: /etc/cloud-mirror/temporal-client, readOnly: true}
{{- end }}
{{- if .root.Values.temporal.tls.caSecret }}
- {name: temporal-ca, mountPath: /etc/cloud-mirror/temporal-ca, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cloud-mirror.volumes" -}}
- name: config
  configMap: {name: {{ include "cloud-mirror.fullname" .root }}{{ if eq .part "setup" }}-setup{{ end }}}
{{- with include "cloud-mirror.tokens" . | fromJson }}
{{- if .existingSecret }}
- name: tokens
  secret: {secretName: {{ .existingSecret }}, defaultMode: 0440, items: [{key: {{ .key }}, path: tokens}]}
{{- end }}
{{- end }}
{{- if eq .part "worker" }}
- name: spool
  emptyDir: {sizeLimit: {{ .values.spoolSize }}}
{{- end }}
{{- if ne .part "frontend" }}
{{- with .root.Values.temporal.tls.clientSecret }}
- name: temporal-client
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .root.Values.temporal.tls.caSecret }}
- name: temporal-ca
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Template of a part's pods: (dict "root" $ "part" … "pool" … "values" … "args" (list …)). */ -}}
{{- define "cloud-mirror.pod" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $job := eq .part "setup" -}}
metadata:
  labels:
    {{- include "cloud-mirror.podLabels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "cloud-mirror.config" $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "cloud-mirror.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if $job }}
  restartPolicy: Never
  {{- else if eq .part "frontend" }}
  terminationGracePeriodSeconds: {{ include "cloud-mirror.frontendGrace" $root }}
  {{- else }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    {{- with $root.Values.runAsUser }}
    runAsUser: {{ . }}
    runAsGroup: {{ . }}
    fsGroup: {{ . }}
    {{- end }}
    seccompProfile: {type: RuntimeDefault}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .part }}
      image: {{ include "cloud-mirror.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson (concat .args (list "--config" "/etc/cloud-mirror/config/cloud-mirror.yaml")) }}
      env:
        {{- include "cloud-mirror.env" . | nindent 8 }}
      {{- if not $job }}
      ports:
        {{- if eq .part "frontend" }}
        - {name: http, containerPort: 8080}
        {{- end }}
        - {name: admin, containerPort: {{ ternary 8081 8082 (eq .part "frontend") }}}
      startupProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- end }}
      {{- if and (eq .part "frontend") $values.preStopSeconds }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ $values.preStopSeconds }}}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        {{- include "cloud-mirror.mounts" . | nindent 8 }}
  volumes:
    {{- include "cloud-mirror.volumes" . | nindent 4 }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $values.affinity }}
  affinity:
    {{- toYaml $values.affinity | nindent 4 }}
  {{- else if not $job }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "cloud-mirror.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}

{{- /* Deployment of a part, without replicas if a scaler sets them: "scaled". */ -}}
{{- define "cloud-mirror.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "cloud-mirror.partName" . }}
  labels:
    {{- include "cloud-mirror.labels" . | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "cloud-mirror.selector" . | nindent 6 }}
  template:
    {{- include "cloud-mirror.pod" . | nindent 4 }}
{{- end -}}

{{- /* Disruption budget of a part. */ -}}
{{- define "cloud-mirror.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "cloud-mirror.partName" . }}
  labels:
    {{- include "cloud-mirror.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "cloud-mirror.selector" . | nindent 6 }}
{{- end -}}

{{- define "cloud-mirror.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "cloud-mirror.serviceAccountName" . }}
  labels:
    {{- include "cloud-mirror.labels" . | nindent 4 }}
  {{- if or .values.serviceAccount.annotations .annotations }}
  annotations:
    {{- with .values.serviceAccount.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
