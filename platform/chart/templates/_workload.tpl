{{/* What belongs to every workload beside its pod. They take what "blinkchamber.pod" takes and "name". */}}

{{/* One pod after the other is replaced, but all start together: after a power cut they need each other. */}}
{{- define "blinkchamber.statefulset" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  namespace: {{ include "blinkchamber.namespace" . }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  serviceName: {{ .service }}
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "blinkchamber.selector" . | nindent 6 }}
      {{- with .matchLabels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  template:
    {{- include "blinkchamber.pod" . | nindent 4 }}
  {{- if eq (.data | default "emptyDir") "volume" }}
  volumeClaimTemplates:
    - metadata:
        name: data
        labels:
          {{- include "blinkchamber.selector" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .root.Values.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ get .root.Values.storage .component }}}}
  {{- end }}
{{- end -}}

{{- define "blinkchamber.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .account }}
  namespace: {{ include "blinkchamber.namespace" . }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}

{{/* "spec" is minAvailable or maxUnavailable as YAML. */}}
{{- define "blinkchamber.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ include "blinkchamber.namespace" . }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
spec:
  {{- .budget | nindent 2 }}
  # A pod that does not serve anyway may always be moved.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "blinkchamber.selector" . | nindent 6 }}
      {{- with .matchLabels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- end -}}

{{- define "blinkchamber.filesMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .component }}-files
  namespace: {{ include "blinkchamber.namespace" . }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
data:
  {{- include "blinkchamber.files" . | nindent 2 }}
{{- end -}}

{{/* "headless": the pods' own addresses, of those not ready too, since that is when their peers look for them. */}}
{{- define "blinkchamber.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .service }}
  namespace: {{ include "blinkchamber.namespace" . }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
spec:
  {{- if .headless }}
  clusterIP: None
  publishNotReadyAddresses: true
  {{- end }}
  {{- with .type }}
  type: {{ . }}
  {{- end }}
  selector:
    {{- include "blinkchamber.selector" . | nindent 4 }}
    {{- with .matchLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    {{- range $name, $number := .ports }}
    - {name: {{ $name }}, port: {{ $number }}, targetPort: {{ $name }}}
    {{- end }}
{{- end -}}

{{/* Namespaced rights: "rules" (YAML) in "namespace" for the ServiceAccount of "component". */}}
{{- define "blinkchamber.rights" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .account }}
  namespace: {{ .namespace }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .account }}
  namespace: {{ .namespace }}
  labels:
    {{- include "blinkchamber.labels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .account }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ include "blinkchamber.namespace" . }}}
{{- end -}}
