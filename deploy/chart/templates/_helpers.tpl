{{/* Begins with a letter, has no dot and at most 61 characters, as a Service's name must; a release's name has at most 53. */}}
{{- define "l1g1000.fullname" -}}
{{- if eq .Release.Name .Chart.Name }}{{ .Chart.Name }}{{ else }}{{ printf "%s-%s" .Chart.Name .Release.Name | replace "." "-" }}{{ end }}
{{- end }}

{{- define "l1g1000.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: server
{{- end }}

{{- define "l1g1000.labels" -}}
{{ include "l1g1000.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "l1g1000.metadata" -}}
name: {{ include "l1g1000.fullname" . }}
namespace: {{ .Release.Namespace }}
labels: {{- include "l1g1000.labels" . | nindent 2 }}
{{- end }}

{{- define "l1g1000.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- define "l1g1000.account" -}}
{{- .Values.serviceAccount.name | default (ternary (include "l1g1000.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* What the restricted Pod Security Standard asks for, and a root that can't be written to. */}}
{{- define "l1g1000.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "l1g1000.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
