{{- define "dicodec.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end -}}

{{- define "dicodec.labels" -}}
app.kubernetes.io/name: dicodec
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "dicodec.selector" -}}
app.kubernetes.io/name: dicodec
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "dicodec.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end -}}

{{- define "dicodec.container" -}}
image: {{ include "dicodec.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources: {{ toJson .resources }}
{{- end -}}

{{- define "dicodec.claim" -}}
metadata: { name: {{ .name }} }
spec:
  accessModes: [ReadWriteOnce]
  resources: { requests: { storage: {{ .volume.size }} } }
{{- with .volume.storageClass }}
  storageClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "dicodec.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  labels: {{- include "dicodec.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "dicodec.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- with .port }}
    - from: {{ toJson $.root.Values.networkPolicy.clients }}
      ports: [{ port: {{ . }} }]
    {{- end }}
    - from: {{ toJson .root.Values.networkPolicy.metrics }}
      ports: [{ port: {{ .metrics }} }]
  egress:
    - ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
    {{- with .egress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
