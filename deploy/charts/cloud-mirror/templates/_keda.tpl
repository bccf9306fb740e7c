{{- /* KEDA needs credentials for Temporal, unless the server has neither TLS nor keys. */ -}}
{{- define "cloud-mirror.temporalAuth" -}}
{{- if or .Values.temporal.apiKey.existingSecret .Values.temporal.tls.clientSecret -}}
{{ include "cloud-mirror.fullname" . }}-temporal
{{- end -}}
{{- end -}}

{{- define "cloud-mirror.temporalTrigger" -}}
- type: temporal
  metadata:
    endpoint: {{ .root.Values.temporal.address | quote }}
    namespace: {{ .root.Values.temporal.namespace | quote }}
    taskQueue: {{ .queue }}
    queueTypes: {{ .types }}
    targetQueueSize: {{ .size | quote }}
    {{- with .root.Values.worker.versioning }}
    {{- if .deploymentName }}
    workerDeploymentName: {{ .deploymentName | quote }}
    workerDeploymentBuildId: {{ .buildId | quote }}
    {{- end }}
    {{- end }}
    {{- with .root.Values.temporal.tls.serverName }}
    tlsServerName: {{ . | quote }}
    {{- end }}
  {{- with include "cloud-mirror.temporalAuth" .root }}
  authenticationRef: {name: {{ . }}}
  {{- end }}
{{- end -}}

{{- /* Whether a ScaledObject of workers exists: "true" or nothing. */ -}}
{{- define "cloud-mirror.workersScaled" -}}
{{- $scaled := "" -}}
{{- range $_, $values := include "cloud-mirror.workers" . | fromJson }}{{ if $values.keda.enabled }}{{ $scaled = "true" }}{{ end }}{{ end -}}
{{- $scaled -}}
{{- end -}}
