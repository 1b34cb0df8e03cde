{{/*
What runs of a namespace may choose, as JSON: `allowed`, and what `tenants` overrides of it for this namespace.
Call it with a dict of `root` and `namespace`.
*/}}
{{- define "featx.allowed" -}}
{{- $result := dict "serviceAccounts" (list "featx-job") -}}
{{- $tenant := get (.root.Values.tenants | default dict) .namespace | default dict -}}
{{- range $layer := list .root.Values.allowed $tenant.allowed -}}
{{- range $key, $value := $layer | default dict -}}{{- $_ := set $result $key $value -}}{{- end -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}

{{/* A string, and a list of strings, as CEL has them. */}}
{{- define "featx.string" -}}
{{- if regexMatch "['\\\\]" . -}}{{- fail (printf "values: %s: quotes and backslashes are not allowed here" .) -}}{{- end -}}
'{{ . }}'
{{- end -}}
{{- define "featx.strings" -}}
{{- $quoted := list -}}
{{- range . -}}{{- $quoted = append $quoted (include "featx.string" .) -}}{{- end -}}
[{{ join ", " $quoted }}]
{{- end -}}

{{/* What the namespace of a request may choose, as a CEL expression. Call it with a dict of `root` and `key`. */}}
{{- define "featx.allowedHere" -}}
{{- $values := list -}}
{{- range $namespace := .root.Values.namespaces -}}
{{- $value := get (include "featx.allowed" (dict "root" $.root "namespace" $namespace) | fromJson) $.key -}}
{{- $cel := "false" -}}
{{- if eq $.key "podIdentity" -}}
{{- if $value -}}{{- $cel = "true" -}}{{- end -}}
{{- else -}}
{{- $cel = include "featx.strings" ($value | default list) -}}
{{- end -}}
{{- $values = append $values (printf "'%s': %s" $namespace $cel) -}}
{{- end -}}
{ {{- join ", " $values -}} }[request.namespace]
{{- end -}}

{{/* Whether the requester is an account of runs, as a CEL expression. */}}
{{- define "featx.isAccount" -}}
{{- $names := list -}}
{{- range $namespace := .Values.namespaces -}}
{{- $allowed := include "featx.allowed" (dict "root" $ "namespace" $namespace) | fromJson -}}
{{- range $account := prepend $allowed.serviceAccounts "featx-job" | uniq -}}
{{- $names = append $names (printf "system:serviceaccount:%s:%s" $namespace $account) -}}
{{- end -}}
{{- end -}}
request.userInfo.username in {{ include "featx.strings" $names }}
{{- end -}}

{{/* How names of the job image begin, whatever its tag: a running attempt keeps its image through an upgrade. */}}
{{- define "featx.jobImagePrefixes" -}}
{{- $repository := regexReplaceAll ":[^:/]*$" (regexReplaceAll "@.*$" .Values.jobImage "") "" -}}
{{ include "featx.strings" (list (printf "%s:" $repository) (printf "%s@" $repository)) }}
{{- end -}}

{{/* Variables of policies: who requests. A driver's token is bound to its pod, whose name and uid it carries. */}}
{{- define "featx.requester" -}}
- name: account
  expression: "request.userInfo.username.split(':')"
- name: extra
  expression: "has(request.userInfo.extra) ? dyn(request.userInfo.extra) : dyn({})"
- name: driverName
  expression: >-
    'authentication.kubernetes.io/pod-name' in variables.extra
    ? variables.extra['authentication.kubernetes.io/pod-name'][0] : ''
- name: driverUid
  expression: >-
    'authentication.kubernetes.io/pod-uid' in variables.extra
    ? variables.extra['authentication.kubernetes.io/pod-uid'][0] : ''
{{- end -}}

{{/* Pods of runs with one of the roles, as NetworkPolicyPeers. Call it with the list of roles. */}}
{{- define "featx.peers" -}}
{{- range $index, $role := . }}
{{- if $index }}
{{ end -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/managed-by: featx
      featx.dev/role: {{ $role }}
{{- end }}
{{- end -}}
