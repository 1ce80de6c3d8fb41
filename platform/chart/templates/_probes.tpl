{{/*
Probes. Readiness asks what the local target asks (health.sh), seen from the kubelet; liveness asks only whether this
process still answers at all, so that no node is killed for a fault of its peers, and so late (a minute) that a server
which was frozen for a while is not killed for that.

The startup probe asks health.sh too, every 2 s, so that a node is ready soon after it can be; until then liveness is
off, and its limit of an hour only ends what never came up: a standby may wait long for a primary.

An exec probe costs several processes on the node, so afterwards readiness asks every 10 s. Nothing that must be quick
waits for it: PgPool, Sentinels and the edge check the servers themselves.
*/}}
{{- define "blinkchamber.execProbes" -}}
startupProbe:
  exec: {command: [/files/health.sh]}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 1800
readinessProbe:
  exec: {command: [/files/health.sh]}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 2
livenessProbe:
  tcpSocket: {port: {{ .port }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
{{- end -}}

{{/* The same question where health.sh is one HTTP request: the kubelet asks it itself, without a process. */}}
{{- define "blinkchamber.httpProbes" -}}
{{- $scheme := .scheme | default "HTTP" -}}
startupProbe:
  httpGet: {path: {{ .ready | quote }}, port: {{ .port }}, scheme: {{ $scheme }}}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 3600
readinessProbe:
  httpGet: {path: {{ .ready | quote }}, port: {{ .port }}, scheme: {{ $scheme }}}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: {{ .alive | quote }}, port: {{ .port }}, scheme: {{ $scheme }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
{{- end -}}
