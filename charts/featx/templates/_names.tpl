{{- define "featx.labels" -}}
app.kubernetes.io/name: featx
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "featx.selector" -}}
app.kubernetes.io/name: featx
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* "true" if all namespaces are served, otherwise empty. */}}
{{- define "featx.clusterWide" -}}
{{- if has "*" .Values.namespaces }}true{{ end -}}
{{- end -}}

{{/* The namespaces that are served by name, as JSON: those of `namespaces` and `tenants`. */}}
{{- define "featx.served" -}}
{{- $names := concat (without .Values.namespaces "*") (keys .Values.tenants | sortAlpha) | uniq -}}
{{- if and (not $names) (not (include "featx.clusterWide" .)) -}}
{{- fail "namespaces: list at least one namespace to serve, [\"*\"] for all, or an entry of tenants" -}}
{{- end -}}
{{- if hasKey .Values.tenants .Release.Namespace -}}
{{- fail (printf "tenants.%s: the operator's own namespace can't be a team's: install the chart in another one" .Release.Namespace) -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* The namespaces that the chart creates, as JSON: the tenants whose namespace is not said to exist already. */}}
{{- define "featx.created" -}}
{{- $names := list -}}
{{- range $name := keys .Values.tenants | sortAlpha -}}
{{- $tenant := get $.Values.tenants $name -}}
{{- $create := not (has $name $.Values.namespaces) -}}
{{- if hasKey $tenant "createNamespace" -}}{{- $create = $tenant.createNamespace -}}{{- end -}}
{{- if $create -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* Where a policy holds, as fields of its binding's matchResources. */}}
{{- define "featx.inServedNamespaces" -}}
{{- if not (include "featx.clusterWide" .) -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{ include "featx.served" . }}
{{- end -}}
{{- end -}}

{{/* What the pods of the chart share: Pod Security `restricted`, and Secrets to pull their image with. */}}
{{- define "featx.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end -}}
{{- define "featx.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}
{{- define "featx.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}
