{{- /* The name that starts the names of all objects. Names of pools need the rest of 63 characters. */ -}}
{{- define "cloud-mirror.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{- /* Labels that select the pods of one part: (dict "root" $ "part" "worker" "pool" "s3_us-west-2"). */ -}}
{{- define "cloud-mirror.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- with .pool }}
cloud-mirror/pool: {{ . }}
{{- end }}
{{- end -}}

{{- /* Labels of the pods of a part. Another version of the chart alone restarts no pod. */ -}}
{{- define "cloud-mirror.podLabels" -}}
{{ include "cloud-mirror.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Labels of an object of a part. */ -}}
{{- define "cloud-mirror.labels" -}}
{{ include "cloud-mirror.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{- /* Name of a part, or of a worker of one pool. */ -}}
{{- define "cloud-mirror.partName" -}}
{{- $name := printf "%s-%s" (include "cloud-mirror.fullname" .root) .part -}}
{{- with .pool }}{{ $name = printf "%s-%s" $name (replace "_" "-" .) }}{{ end -}}
{{- $name -}}
{{- end -}}

{{- define "cloud-mirror.serviceAccountName" -}}
{{- $own := ternary (printf "%s-%s" (include "cloud-mirror.fullname" .root) .part) "default" .values.serviceAccount.create -}}
{{- default $own .values.serviceAccount.name -}}
{{- end -}}

{{- define "cloud-mirror.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Ids of the pools in the configuration, as JSON. */ -}}
{{- define "cloud-mirror.configured" -}}
{{- $ids := list -}}
{{- range .Values.config.pools }}{{ $ids = append $ids (printf "%s_%s" (default "s3" .service) .region) }}{{ end -}}
{{- toJson $ids -}}
{{- end -}}

{{- /* Values of the workers of each pool that this release runs, by pool id, as JSON. */ -}}
{{- define "cloud-mirror.workers" -}}
{{- $all := dict -}}
{{- if .Values.worker.enabled -}}
{{- range $id := include "cloud-mirror.configured" . | fromJsonArray -}}
{{- if or (not $.Values.worker.pools) (hasKey $.Values.worker.pools $id) -}}
{{- $own := get $.Values.worker.pools $id | default dict -}}
{{- $_ := set $all $id (mergeOverwrite (deepCopy (omit $.Values.worker "pools")) (deepCopy $own)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /* Seconds from SIGTERM to SIGKILL of a front end: the drain, 10 s for requests in flight, and 10 s to spare. */ -}}
{{- define "cloud-mirror.frontendGrace" -}}
{{- add .Values.frontend.preStopSeconds .Values.frontend.drainSeconds 20 -}}
{{- end -}}
