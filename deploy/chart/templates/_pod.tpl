{{/* What all pods share. */}}
{{- define "gristmill.podSecurity" -}}
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

{{- define "gristmill.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Where a pod may run. */}}
{{- define "gristmill.placement" -}}
{{- with .of.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $.labels | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Addresses and passwords of RabbitMQ, as environment variables. A variable in `$(…)` is filled in by Kubernetes. */}}
{{- define "gristmill.brokerEnv" -}}
{{- if .Values.broker.existingSecret }}
- name: GRISTMILL_BROKER
  valueFrom: { secretKeyRef: { name: {{ .Values.broker.existingSecret }}, key: {{ .Values.broker.urlKey }} } }
{{- else }}
{{- if .Values.broker.operator.enabled }}
- name: RABBITMQ_USER
  valueFrom: { secretKeyRef: { name: {{ include "gristmill.brokerLogin" . }}, key: username } }
- name: RABBITMQ_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ include "gristmill.brokerLogin" . }}, key: password } }
{{- else }}
- name: RABBITMQ_USER
  value: gristmill
- name: RABBITMQ_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .Values.trial.existingSecret }}, key: password } }
{{- end }}
- name: GRISTMILL_BROKER
  value: amqp://$(RABBITMQ_USER):$(RABBITMQ_PASSWORD)@{{ include "gristmill.brokerHost" . }}:5672/%2f
{{- end }}
{{- end -}}

{{/* Whether connections to other pods may go without TLS. */}}
{{- define "gristmill.plaintextEnv" -}}
{{- if or .Values.plaintext .Values.trial.enabled }}
- { name: GRISTMILL_PLAINTEXT, value: "true" }
{{- end }}
{{- end -}}

{{- define "gristmill.serversTlsEnv" -}}
{{- include "gristmill.plaintextEnv" . }}
{{- if .Values.serversTls.existingSecret }}
- name: GRISTMILL_SERVERS_CA
  value: /etc/gristmill/servers/ca.crt
{{- if .Values.serversTls.clientCertificate }}
- name: GRISTMILL_SERVERS_CERT
  value: /etc/gristmill/servers/tls.crt
- name: GRISTMILL_SERVERS_KEY
  value: /etc/gristmill/servers/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{- define "gristmill.serversTlsMount" -}}
{{- if .Values.serversTls.existingSecret }}
- { name: servers-tls, mountPath: /etc/gristmill/servers, readOnly: true }
{{- end }}
{{- end -}}

{{- define "gristmill.serversTlsVolume" -}}
{{- with .Values.serversTls.existingSecret }}
- name: servers-tls
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- end -}}

{{/* The environment of coordinators and workers. */}}
{{- define "gristmill.serverEnv" -}}
{{- if .root.Values.trial.enabled }}
- name: REDIS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .root.Values.trial.existingSecret }}, key: password } }
- name: GRISTMILL_REDIS
  value: redis://:$(REDIS_PASSWORD)@{{ include "gristmill.fullname" .root }}-trial-redis:6379/0
{{- else }}
- name: GRISTMILL_REDIS
  valueFrom: { secretKeyRef: { name: {{ .root.Values.redis.existingSecret }}, key: {{ .root.Values.redis.urlKey }} } }
{{- end }}
{{- include "gristmill.brokerEnv" .root }}
- name: GRISTMILL_STORE
  value: {{ .root.Values.store.url | default "/var/lib/gristmill/store" | quote }}
{{- include "gristmill.serversTlsEnv" .root }}
- name: GRISTMILL_LOG
  value: {{ .root.Values.log | quote }}
{{- with .root.Values.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with .of.endpoints }}
- name: GRISTMILL_ENDPOINTS
  value: {{ join "," . | quote }}
{{- end }}
- name: GRISTMILL_CACHE
  value: /var/lib/gristmill/cache
# The root filesystem is read-only.
- name: HOME
  value: /tmp
{{- with .of.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gristmill.storeEnvFrom" -}}
{{- with .Values.store.existingSecret }}
envFrom:
  - secretRef: { name: {{ . }} }
{{- end }}
{{- end -}}

{{- define "gristmill.serverMounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: cache, mountPath: /var/lib/gristmill/cache }
{{- if .Values.store.volume.enabled }}
- { name: store, mountPath: /var/lib/gristmill/store }
{{- end }}
{{- include "gristmill.serversTlsMount" . }}
{{- end -}}

{{- define "gristmill.serverVolumes" -}}
- name: tmp
  emptyDir: { sizeLimit: {{ .of.tmpSize }} }
- name: cache
  emptyDir: { sizeLimit: {{ .of.cacheSize }} }
{{- if .root.Values.store.volume.enabled }}
- name: store
  persistentVolumeClaim: { claimName: {{ include "gristmill.claim" .root }} }
{{- end }}
{{- include "gristmill.serversTlsVolume" .root }}
{{- end -}}

{{/* Neighbours that cannot be used make a pod not ready. It lives all the same: starting it again would mend nothing. */}}
{{- define "gristmill.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: http }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}
