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
{{- toYaml $config -}}
{{- end -}}
