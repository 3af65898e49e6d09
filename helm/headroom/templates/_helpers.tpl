{{- define "headroom.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of everything; with a component, those that select its pods. */}}
{{- define "headroom.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "headroom.labels" -}}
{{ include "headroom.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The venues that have a producer, as a JSON array. */}}
{{- define "headroom.venues" -}}
{{- $found := list }}
{{- range $venue, $given := .Values.producers }}
{{- if ne (toString $given.enabled) "false" }}
{{- $found = append $found $venue }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end -}}

{{- define "headroom.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "headroom.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "headroom.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* How to reach Kafka, and what all processes have in common. */}}
{{- define "headroom.environment" -}}
- {name: HEADROOM_KAFKA_BOOTSTRAP, value: {{ required "kafka.bootstrap is host:port of your Kafka" .Values.kafka.bootstrap | quote }}}
- {name: HEADROOM_KAFKA_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol | quote }}}
{{- if hasPrefix "SASL" .Values.kafka.securityProtocol }}
{{- $secret := .Values.kafka.sasl.secret }}
{{- $name := required "kafka.sasl.secret.name is the secret with Kafka's user and password" $secret.name }}
- {name: HEADROOM_KAFKA_SASL_MECHANISM, value: {{ .Values.kafka.sasl.mechanism | quote }}}
- name: HEADROOM_KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $name | quote }}, key: {{ $secret.usernameKey | quote }}}}
- name: HEADROOM_KAFKA_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $name | quote }}, key: {{ $secret.passwordKey | quote }}}}
{{- end }}
{{- with .Values.kafka.tls.secret }}
{{- if .name }}
- {name: HEADROOM_KAFKA_SSL_CAFILE, value: {{ printf "/tls/%s" .caKey | quote }}}
{{- if .certKey }}
- {name: HEADROOM_KAFKA_SSL_CERTFILE, value: {{ printf "/tls/%s" .certKey | quote }}}
- {name: HEADROOM_KAFKA_SSL_KEYFILE, value: {{ printf "/tls/%s" .keyKey | quote }}}
{{- end }}
{{- end }}
{{- end }}
- {name: HEADROOM_PARTITIONS, value: {{ .Values.settings.partitions | quote }}}
- {name: HEADROOM_REPLICATION_FACTOR, value: {{ .Values.settings.replicationFactor | quote }}}
- {name: HEADROOM_LOG_LEVEL, value: {{ .Values.settings.logLevel | quote }}}
- {name: HEADROOM_LOG_FORMAT, value: {{ .Values.settings.logFormat | quote }}}
{{- end -}}

{{- define "headroom.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.kafka.tls.secret.name }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "headroom.volumes" -}}
- name: tmp
  emptyDir: {}
{{- with .Values.kafka.tls.secret.name }}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* The beginning of every pod. */}}
{{- define "headroom.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "headroom.podSecurity" . | nindent 2 }}
{{- end -}}
