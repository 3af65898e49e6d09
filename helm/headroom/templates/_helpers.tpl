{{/*
What every object's name begins with. A StatefulSet's may have 52 letters, as a label of its pods has eleven more, and
ours end with "-produce-hercle" at the longest: of a longer one the end becomes a digest, so that no two are the same.
*/}}
{{- define "headroom.name" -}}
{{- $full := .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if not (contains .Chart.Name .Release.Name) -}}
{{- $full = printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- if gt (len $full) 37 -}}
{{- $full = printf "%s-%s" ($full | trunc 28 | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- end -}}
{{- $full -}}
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
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "headroom.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.security.user }}
runAsUser: {{ . | int64 }}
runAsGroup: {{ . | int64 }}
fsGroup: {{ . | int64 }}
{{- end }}
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
{{- if .Values.kafka.sasl.username }}
- {name: HEADROOM_KAFKA_SASL_USERNAME, value: {{ .Values.kafka.sasl.username | quote }}}
{{- else }}
- name: HEADROOM_KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $name | quote }}, key: {{ $secret.usernameKey | quote }}}}
{{- end }}
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
{{- with .Values.kafka.tls.client }}
{{- if .name }}
- {name: HEADROOM_KAFKA_SSL_CERTFILE, value: {{ printf "/tls-client/%s" .certKey | quote }}}
- {name: HEADROOM_KAFKA_SSL_KEYFILE, value: {{ printf "/tls-client/%s" .keyKey | quote }}}
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
{{- if .Values.kafka.tls.client.name }}
- {name: tls-client, mountPath: /tls-client, readOnly: true}
{{- end }}
{{- end -}}

{{- define "headroom.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 512Mi}
{{- with .Values.kafka.tls.secret.name }}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .Values.kafka.tls.client.name }}
- name: tls-client
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

{{/* Where a pod may run, and how much it matters: of a dict of root, component and given, the values. */}}
{{- define "headroom.placement" -}}
{{- with .given.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .given.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .given.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .given.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .given.topologySpreadConstraints }}
  {{- toYaml .given.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  # Not all on one node where there are others; a cluster of one node is one, too.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "headroom.selector" . | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* The headless service by which workers reach each other. */}}
{{- define "headroom.peers" -}}
{{ include "headroom.name" . }}-worker-peers
{{- end -}}

{{/* A worker's own settings; those of its pod alone are told there. */}}
{{- define "headroom.workerEnvironment" -}}
- {name: HEADROOM_GUARANTEE, value: {{ .Values.settings.guarantee | quote }}}
- {name: HEADROOM_STANDBY_REPLICAS, value: {{ .Values.settings.standbyReplicas | quote }}}
- {name: HEADROOM_STALE_AFTER_SECONDS, value: {{ .Values.settings.staleAfterSeconds | quote }}}
- {name: HEADROOM_NOT_SERVING_SECONDS, value: {{ .Values.settings.notServingSeconds | quote }}}
- {name: HEADROOM_HERCLE_ASSET_LIMITS, value: {{ .Values.settings.hercleAssetLimits | quote }}}
{{- with .Values.schemaRegistry }}
{{- if .url }}
- {name: HEADROOM_SCHEMA_REGISTRY_URL, value: {{ .url | quote }}}
- {name: HEADROOM_SCHEMA_REGISTRY_MODE, value: {{ .mode | quote }}}
{{- with .secret }}
{{- if .name }}
- name: HEADROOM_SCHEMA_REGISTRY_USERNAME
  valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .usernameKey | quote }}}}
- name: HEADROOM_SCHEMA_REGISTRY_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .passwordKey | quote }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
- {name: HEADROOM_HTTP_HOST, value: {{ .Values.settings.listen | quote }}}
- {name: HEADROOM_HTTP_PORT, value: {{ .Values.worker.port | quote }}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: HEADROOM_HTTP_ADVERTISED_URL
  value: "http://$(POD_NAME).{{ include "headroom.peers" . }}.{{ .Release.Namespace }}.svc.{{ .Values.worker.clusterDomain }}:{{ .Values.worker.port }}"
- {name: HEADROOM_API_TOKENS_FILE, value: {{ printf "/tokens/%s" .Values.worker.tokens.key | quote }}}
{{- if .Values.worker.accounts.secret }}
- {name: HEADROOM_ACCOUNTS_FILE, value: {{ printf "/accounts/%s" .Values.worker.accounts.key | quote }}}
{{- end }}
{{- if .Values.worker.rules.configMap }}
- {name: HEADROOM_ALERTS_FILE, value: {{ printf "/rules/%s" .Values.worker.rules.key | quote }}}
{{- end }}
{{- with .Values.worker.jwt }}
{{- if .issuer }}
- {name: HEADROOM_JWT_ISSUER, value: {{ .issuer | quote }}}
- {name: HEADROOM_JWT_AUDIENCE, value: {{ required "worker.jwt.audience is the aud that tokens are for" .audience | quote }}}
- {name: HEADROOM_JWKS_URL, value: {{ required "worker.jwt.jwksUrl is where the issuer's keys are" .jwksUrl | quote }}}
- {name: HEADROOM_JWT_USERS_CLAIM, value: {{ .usersClaim | quote }}}
{{- end }}
{{- end }}
- name: HEADROOM_WORKER_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ required "worker.credential.secret is the secret with what workers know each other by" .Values.worker.credential.secret | quote }}
      key: {{ .Values.worker.credential.key | quote }}
{{- end -}}

{{/* A worker's files, but for its volume. */}}
{{- define "headroom.workerMounts" -}}
- {name: tokens, mountPath: /tokens, readOnly: true}
{{- if .Values.worker.accounts.secret }}
- {name: accounts, mountPath: /accounts, readOnly: true}
{{- end }}
{{- if .Values.worker.rules.configMap }}
- {name: rules, mountPath: /rules, readOnly: true}
{{- end }}
{{- end -}}

{{/* Where they come from. */}}
{{- define "headroom.workerVolumes" -}}
- name: tokens
  secret:
    secretName: {{ required "worker.tokens.secret is the secret with the tokens file" .Values.worker.tokens.secret | quote }}
    # Readable by the worker's group: a file that all may read is refused.
    defaultMode: 0440
{{- with .Values.worker.accounts.secret }}
- name: accounts
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .Values.worker.rules.configMap }}
- name: rules
  configMap: {name: {{ . | quote }}}
{{- end }}
{{- end -}}

{{/* A producer's settings that say where its venue is: of a dict of venue and producer. */}}
{{- define "headroom.producerEnvironment" -}}
{{- $variable := printf "HEADROOM_%s" (upper .venue) }}
{{- $ca := .producer.ca | default dict }}
- {name: {{ $variable }}_URL, value: {{ .producer.url | quote }}}
# A file: it is read again when the secret is changed.
- {name: {{ $variable }}_API_KEY_FILE, value: {{ printf "/venue/%s" .producer.key.key | quote }}}
{{- with $ca.secret }}
- {name: HEADROOM_CA_FILE, value: {{ printf "/venue-ca/%s" $ca.key | quote }}}
{{- end }}
{{- range $name, $value := .producer.settings }}
- {name: {{ $variable }}_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{/* Its key, and whom its venue's certificate comes from. */}}
{{- define "headroom.producerMounts" -}}
{{- $ca := .producer.ca | default dict }}
- {name: venue, mountPath: /venue, readOnly: true}
{{- if $ca.secret }}
- {name: venue-ca, mountPath: /venue-ca, readOnly: true}
{{- end }}
{{- end -}}

{{/* Where they come from. */}}
{{- define "headroom.producerVolumes" -}}
{{- $ca := .producer.ca | default dict }}
- name: venue
  secret:
    secretName: {{ required (printf "producers.%s.key.secret is the secret with the venue's key" .venue) .producer.key.secret | quote }}
    items: [{key: {{ .producer.key.key | quote }}, path: {{ .producer.key.key | quote }}}]
    defaultMode: 0440
{{- with $ca.secret }}
- name: venue-ca
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}
