{{/*
What runs of a namespace may choose, as JSON: `allowed`, and what `tenants` overrides of it for this namespace.
Call it with a dict of `root` and `namespace`; an empty namespace is one that no tenant has.
*/}}
{{- define "featx.allowed" -}}
{{- $result := dict "serviceAccounts" (list "featx-job") -}}
{{- $tenant := get (.root.Values.tenants | default dict) .namespace | default dict -}}
{{- range $layer := list .root.Values.allowed $tenant.allowed -}}
{{- range $key, $value := $layer | default dict -}}{{- $_ := set $result $key $value -}}{{- end -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}

{{/* What the operator reads in FEATX_ALLOWED, as JSON. */}}
{{- define "featx.operatorAllowed" -}}
{{- $tenants := dict -}}
{{- range $name, $tenant := .Values.tenants -}}
{{- with pick $tenant "allowed" "modelChecks" "defaultQueue" -}}{{- $_ := set $tenants $name . -}}{{- end -}}
{{- end -}}
{{- $pools := dict -}}
{{- range $name, $_ := .Values.nodePools -}}
{{- $_ := set $pools $name (include "featx.nodePool" (dict "root" $ "name" $name) | fromJson) -}}
{{- end -}}
{{- dict "allowed" .Values.allowed "modelChecks" .Values.modelChecks "tenants" $tenants "nodePools" $pools | toJson -}}
{{- end -}}

{{/* A node pool with its whole node selector, as JSON. Call it with a dict of `root` and `name`. */}}
{{- define "featx.nodePool" -}}
{{- $pool := deepCopy (get .root.Values.nodePools .name | default dict) -}}
{{- $selector := $pool.nodeSelector | default (dict "featx.dev/node-pool" .name) -}}
{{- range $pool.cpuFeatures -}}
{{- $_ := set $selector (printf "feature.node.kubernetes.io/cpu-cpuid.%s" .) "true" -}}
{{- end -}}
{{- $_ := set $pool "nodeSelector" $selector -}}
{{- omit $pool "cpuFeatures" | toJson -}}
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

{{/* A map of strings as CEL has it. */}}
{{- define "featx.stringMap" -}}
{{- $entries := list -}}
{{- range $key, $value := . -}}
{{- $entries = append $entries (printf "%s: %s" (include "featx.string" $key) (include "featx.string" $value)) -}}
{{- end -}}
{ {{- join ", " $entries -}} }
{{- end -}}

{{/* What the namespace of a request may choose, as a CEL expression. Call it with a dict of `root` and `key`. */}}
{{- define "featx.allowedHere" -}}
{{- $values := list -}}
{{- range $namespace := include "featx.served" .root | fromJsonArray -}}
{{- $value := include "featx.allowedValue" (merge (dict "namespace" $namespace) $) -}}
{{- $values = append $values (printf "'%s': %s" $namespace $value) -}}
{{- end -}}
{{- $map := printf "{%s}" (join ", " $values) -}}
{{- $default := include "featx.allowedValue" (merge (dict "namespace" "") .) -}}
{{- if not (include "featx.clusterWide" .root) -}}
{{ $map }}[request.namespace]
{{- else if $values -}}
request.namespace in {{ $map }} ? {{ $map }}[request.namespace] : {{ $default }}
{{- else -}}
{{ $default }}
{{- end -}}
{{- end -}}

{{/* One value of `allowed` as a CEL literal. Call it with a dict of `root`, `namespace` and `key`. */}}
{{- define "featx.allowedValue" -}}
{{- $value := get (include "featx.allowed" . | fromJson) .key -}}
{{- if eq .key "podIdentity" -}}
{{- $value | default false -}}
{{- else -}}
{{- include "featx.strings" ($value | default list) -}}
{{- end -}}
{{- end -}}

{{/* Whether the requester is an account of runs, as a CEL expression. */}}
{{- define "featx.isAccount" -}}
{{- $names := list -}}
{{- range $namespace := include "featx.served" . | fromJsonArray -}}
{{- $allowed := include "featx.allowed" (dict "root" $ "namespace" $namespace) | fromJson -}}
{{- range $account := prepend $allowed.serviceAccounts "featx-job" | uniq -}}
{{- $names = append $names (printf "system:serviceaccount:%s:%s" $namespace $account) -}}
{{- end -}}
{{- end -}}
{{- if include "featx.clusterWide" . -}}
{{- $allowed := include "featx.allowed" (dict "root" . "namespace" "") | fromJson -}}
{{- $accounts := prepend $allowed.serviceAccounts "featx-job" | uniq -}}
request.userInfo.username.startsWith('system:serviceaccount:') && request.userInfo.username.split(':')[3] in
{{- printf " %s" (include "featx.strings" $accounts) -}}
{{- if $names }} || {{ end -}}
{{- end -}}
{{- if or $names (not (include "featx.clusterWide" .)) -}}
request.userInfo.username in {{ include "featx.strings" $names }}
{{- end -}}
{{- end -}}

{{/* How names of the job image begin, whatever its tag: a running attempt keeps its image through an upgrade. */}}
{{- define "featx.jobImagePrefixes" -}}
{{- $repository := regexReplaceAll ":[^:/]*$" (regexReplaceAll "@.*$" .Values.jobImage "") "" -}}
{{ include "featx.strings" (list (printf "%s:" $repository) (printf "%s@" $repository)) }}
{{- end -}}

{{/* The operator's user name, as CEL has it. */}}
{{- define "featx.operator" -}}
{{ include "featx.string" (printf "system:serviceaccount:%s:featx-operator" .Release.Namespace) }}
{{- end -}}

{{/* Whether an update of a pod changes nothing but one annotation, by variables `new` and `old`. Call it with its name. */}}
{{- define "featx.onlyAnnotation" -}}
variables.new.spec == variables.old.spec && ['labels', 'ownerReferences', 'finalizers'].all(field,
(field in variables.new.metadata) == (field in variables.old.metadata)
&& (!(field in variables.new.metadata) || variables.new.metadata[field] == variables.old.metadata[field]))
&& (!('annotations' in variables.new.metadata) || variables.new.metadata.annotations.all(key,
key == '{{ . }}' || 'annotations' in variables.old.metadata
&& key in variables.old.metadata.annotations
&& variables.old.metadata.annotations[key] == variables.new.metadata.annotations[key]))
&& (!('annotations' in variables.old.metadata) || variables.old.metadata.annotations.all(key,
key == '{{ . }}' || 'annotations' in variables.new.metadata
&& key in variables.new.metadata.annotations))
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

{{/*
Variables of the policy of executors: every node pool that some namespace may choose, by its name, as
operator/featx_operator/node_pools.py places executors there. CEL takes no literals of mixed types but dyn.
*/}}
{{- define "featx.poolVariables" -}}
{{- $names := .Values.allowed.nodePools | default list -}}
{{- range .Values.tenants -}}{{- $names = concat $names ((.allowed | default dict).nodePools | default list) -}}{{- end -}}
{{- $selectors := list -}}{{- $tolerations := list -}}{{- $spread := list -}}{{- $packed := list -}}
{{- range $name := $names | uniq | sortAlpha -}}
{{- $pool := include "featx.nodePool" (dict "root" $ "name" $name) | fromJson -}}
{{- $key := include "featx.string" $name -}}
{{- $selectors = append $selectors (printf "%s: %s" $key (include "featx.stringMap" $pool.nodeSelector)) -}}
{{- $taints := list -}}
{{- range $pool.tolerations -}}
{{- $taint := merge (dict) . (dict "operator" "Equal") -}}
{{- if not $taint.value -}}{{- $taint = omit $taint "value" -}}{{- end -}}
{{- $taints = append $taints (include "featx.stringMap" $taint) -}}
{{- end -}}
{{- $tolerations = append $tolerations (printf "%s: dyn([%s])" $key (join ", " $taints)) -}}
{{- $topology := include "featx.string" ($pool.topologyKey | default "kubernetes.io/hostname") -}}
{{- if eq ($pool.arrangement | default "any") "spread" -}}{{- $spread = append $spread (printf "%s: %s" $key $topology) -}}{{- end -}}
{{- if eq ($pool.arrangement | default "any") "pack" -}}{{- $packed = append $packed (printf "%s: %s" $key $topology) -}}{{- end -}}
{{- end -}}
- name: poolSelectors
  expression: {{ printf "dyn({%s})" (join ", " $selectors) | quote }}
- name: poolTolerations
  expression: {{ printf "dyn({%s})" (join ", " $tolerations) | quote }}
- name: spreadPools
  expression: {{ printf "dyn({%s})" (join ", " $spread) | quote }}
- name: packedPools
  expression: {{ printf "dyn({%s})" (join ", " $packed) | quote }}
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
