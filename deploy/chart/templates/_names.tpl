{{- define "gristmill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: what selectors use. */}}
{{- define "gristmill.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gristmill.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: gristmill
{{ include "gristmill.selector" . }}
{{- end -}}

{{- define "gristmill.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "gristmill.claim" -}}
{{- .Values.store.volume.existingClaim | default (printf "%s-store" (include "gristmill.fullname" .)) -}}
{{- end -}}

{{/* Host and virtual host of a broker that this release makes. */}}
{{- define "gristmill.brokerHost" -}}
{{ include "gristmill.fullname" . }}-{{ ternary "rabbitmq" "trial-rabbitmq" .Values.broker.operator.enabled }}
{{- end -}}

{{/* The Secret with user and password of a broker that this release makes. */}}
{{- define "gristmill.brokerLogin" -}}
{{ include "gristmill.fullname" . }}-rabbitmq-default-user
{{- end -}}

{{/* What the schema cannot say: which values go together. */}}
{{- define "gristmill.check" -}}
{{- $v := .Values -}}
{{- $brokers := 0 -}}
{{- if $v.broker.existingSecret }}{{ $brokers = add $brokers 1 }}{{ end -}}
{{- if $v.broker.operator.enabled }}{{ $brokers = add $brokers 1 }}{{ end -}}
{{- if $v.trial.enabled }}{{ $brokers = add $brokers 1 }}{{ end -}}
{{- if ne (int $brokers) 1 -}}
{{- fail "RabbitMQ comes from exactly one of broker.existingSecret, broker.operator.enabled and trial.enabled: set one of them" -}}
{{- end -}}
{{- if and $v.trial.enabled $v.redis.existingSecret -}}
{{- fail "trial.enabled brings a Redis of its own: leave out redis.existingSecret, or use broker.existingSecret instead of the trial" -}}
{{- end -}}
{{- if not (or $v.trial.enabled $v.redis.existingSecret) -}}
{{- fail "redis.existingSecret is needed: the name of a Secret whose entry `url` is the address of Redis" -}}
{{- end -}}
{{- if and $v.trial.enabled (not $v.trial.existingSecret) -}}
{{- fail "trial.existingSecret is needed: the name of a Secret whose entry `password` holds letters and digits" -}}
{{- end -}}
{{- if eq (not $v.store.url) (not $v.store.volume.enabled) -}}
{{- fail "the store is exactly one of store.url (s3://BUCKET/PREFIX) and store.volume.enabled: set one of them" -}}
{{- end -}}
{{- if not (or $v.coordinator.tokensSecret $v.coordinator.tls.clientCa) -}}
{{- fail "coordinator.tokensSecret is needed: whoever reaches the API could spend money. Name a Secret whose entry `tokens` has a line `operator TOKEN`, or let in clients by certificate (coordinator.tls.clientCa)" -}}
{{- end -}}
{{- if not (or $v.coordinator.tls.existingSecret $v.plaintext $v.trial.enabled) -}}
{{- fail "coordinator.tls.existingSecret is needed: the name of a Secret with `tls.crt` and `tls.key`, without which tokens cross the network in the clear. Where the network encrypts by itself, set plaintext: true instead" -}}
{{- end -}}
{{- if and $v.broker.operator.enabled (not $v.plaintext) -}}
{{- fail "broker.operator makes a RabbitMQ without TLS: set plaintext: true where the network encrypts by itself, or name one with TLS (broker.existingSecret)" -}}
{{- end -}}
{{- if and $v.coordinator.tls.clientCa (not $v.coordinator.tls.existingSecret) -}}
{{- fail "coordinator.tls.clientCa needs coordinator.tls.existingSecret" -}}
{{- end -}}
{{- if and $v.serversTls.clientCertificate (not $v.serversTls.existingSecret) -}}
{{- fail "serversTls.clientCertificate needs serversTls.existingSecret" -}}
{{- end -}}
{{- if and $v.test.simImage (not $v.test.tokenSecret) (not $v.coordinator.tls.clientCa) -}}
{{- fail "test.simImage needs test.tokenSecret: the test submits a job" -}}
{{- end -}}
{{- end -}}

{{/* A pool with what it does not say itself. */}}
{{- define "gristmill.pool" -}}
{{- $pool := mergeOverwrite (deepCopy .root.Values.workerDefaults) (deepCopy .pool) -}}
{{- if and $pool.keys (not $pool.keysSecret) -}}
{{- fail (printf "workers.%s.keys needs keysSecret: the name of a Secret with an entry for each key" .name) -}}
{{- end -}}
{{- with $pool.autoscaling -}}
{{- if and .limits.enabled (ne .kind "keda") -}}
{{- fail (printf "workers.%s.autoscaling.limits works with kind keda only" $.name) -}}
{{- end -}}
{{- if and .limits.enabled (not .limits.prometheus) -}}
{{- fail (printf "workers.%s.autoscaling.limits needs the address of a Prometheus" $.name) -}}
{{- end -}}
{{- if lt (int .max) (int .min) -}}
{{- fail (printf "workers.%s.autoscaling.max is %d, less than min" $.name (int .max)) -}}
{{- end -}}
{{- if and (eq .kind "keda") (lt (int .cooldownSeconds) (int $pool.grace)) -}}
{{- fail (printf "workers.%s.autoscaling.cooldownSeconds is %d, less than grace: a worker would be taken away before its calls can have ended" $.name (int .cooldownSeconds)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $pool -}}
{{- end -}}
