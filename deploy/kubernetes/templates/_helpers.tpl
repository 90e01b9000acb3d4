{{- define "model-generator.name" -}}
{{- $name := ternary .Release.Name (printf "%s-model-generator" .Release.Name) (contains "model-generator" .Release.Name) -}}
{{- /* 52: the name of a pod and of a hook's job has ten characters more, and a name may have 63. */ -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "model-generator.selector" -}}
app.kubernetes.io/name: model-generator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "model-generator.labels" -}}
{{ include "model-generator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "model-generator.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- /* What every pod has: no root, no token of the cluster, and no variables about its Services, which look like settings. */ -}}
{{- define "model-generator.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "model-generator.restricted" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{- /* The ConfigMap comes last and wins: what the chart decides, a Secret does not change. */ -}}
{{- define "model-generator.settings" -}}
envFrom:
  - secretRef: { name: {{ .Values.existingSecret }} }
  - configMapRef: { name: {{ include "model-generator.name" . }} }
{{- end -}}

{{- define "model-generator.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .Values.media.existingClaim }}
- { name: media, mountPath: /var/lib/model-generator/media }
{{- end }}
{{- if .Values.signing.existingSecret }}
- { name: signing, mountPath: /run/signing, readOnly: true }
{{- end }}
{{- if .Values.authorities.existingConfigMap }}
- { name: authorities, mountPath: /run/authorities, readOnly: true }
{{- end }}
{{- end -}}

{{- define "model-generator.volumes" -}}
- { name: tmp, emptyDir: { medium: Memory, sizeLimit: 16Mi } }
{{- with .Values.media.existingClaim }}
- { name: media, persistentVolumeClaim: { claimName: {{ . }} } }
{{- end }}
{{- with .Values.signing.existingSecret }}
- { name: signing, secret: { secretName: {{ . }}, defaultMode: 0400 } }
{{- end }}
{{- with .Values.authorities.existingConfigMap }}
- { name: authorities, configMap: { name: {{ . }} } }
{{- end }}
{{- end -}}

{{- define "model-generator.most" -}}
{{- ternary .Values.scaling.maxReplicas .Values.workers.replicas .Values.scaling.enabled -}}
{{- end -}}

{{- /* More slots than fal's account runs at once would only wait there, each with a paid request that its time limit may cut off. */ -}}
{{- define "model-generator.bounded" -}}
{{- $most := include "model-generator.most" . | int -}}
{{- $slots := .Values.workers.slots | int -}}
{{- $limit := .Values.fal.concurrency | int -}}
{{- if gt (mul $most $slots) $limit -}}
{{- fail (printf "%d workers of %d slots would have %d requests at fal at once, and fal.concurrency allows %d: fewer workers (%s), fewer slots (workers.slots), or, if fal's account allows more, a larger fal.concurrency" $most $slots (mul $most $slots) $limit (ternary "scaling.maxReplicas" "workers.replicas" .Values.scaling.enabled)) -}}
{{- end -}}
{{- if and .Values.scaling.enabled (gt (int .Values.scaling.minReplicas) (int .Values.scaling.maxReplicas)) -}}
{{- fail (printf "scaling.minReplicas (%d) is more than scaling.maxReplicas (%d)" (int .Values.scaling.minReplicas) (int .Values.scaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}

{{- /* A list: the policy, then the names of what may be reached beside DNS. */ -}}
{{- define "model-generator.egress" -}}
{{- $policy := first . -}}
- to: {{- toYaml $policy.dns.to | nindent 4 }}
  ports:
    {{- range $policy.dns.ports }}
    - { protocol: UDP, port: {{ . }} }
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- range rest . }}
{{- $peer := get $policy . }}
- to: {{- toYaml $peer.to | nindent 4 }}
  ports:
    {{- range $peer.ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end }}
{{- end -}}
