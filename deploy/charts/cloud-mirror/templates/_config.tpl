{{- /* The configuration file: that of the values, and what the chart decides. */ -}}
{{- define "cloud-mirror.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $hosts := list -}}
{{- if .Values.ingress.enabled }}{{ $hosts = concat $hosts .Values.ingress.hosts }}{{ end -}}
{{- if .Values.gateway.enabled }}{{ $hosts = concat $hosts .Values.gateway.hosts }}{{ end -}}
{{- $frontend := $config.frontend | default dict -}}
{{- $names := concat ($frontend.public_names | default list) $hosts | uniq -}}
{{- $own := dict "listen" ":8080" "admin_listen" ":8081" "drain" (printf "%ds" (int .Values.frontend.drainSeconds)) -}}
{{- if $names }}{{ $_ := set $own "public_names" $names }}{{ end -}}
{{- $_ := set $config "frontend" (mergeOverwrite $frontend $own) -}}
{{- $_ := set $config "worker" (mergeOverwrite ($config.worker | default dict) (dict "admin_listen" ":8082")) -}}
{{- $metrics := list -}}
{{- range $part, $port := include "cloud-mirror.adminPorts" . | fromJson -}}
{{- $metrics = append $metrics (printf "http://%s-admin:%d/metrics" (include "cloud-mirror.partName" (dict "root" $ "part" $part)) (int $port)) -}}
{{- end -}}
{{- $_ := set $config "admin" (mergeOverwrite (dict "metrics" $metrics) ($config.admin | default dict)) -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* Ports of the admin listeners, by part of this release, as JSON. */ -}}
{{- define "cloud-mirror.adminPorts" -}}
{{- $ports := dict -}}
{{- if .Values.frontend.enabled }}{{ $_ := set $ports "frontend" 8081 }}{{ end -}}
{{- if include "cloud-mirror.workers" . | fromJson }}{{ $_ := set $ports "worker" 8082 }}{{ end -}}
{{- if .Values.bridge.enabled }}{{ $_ := set $ports "bridge" 8082 }}{{ end -}}
{{- toJson $ports -}}
{{- end -}}
