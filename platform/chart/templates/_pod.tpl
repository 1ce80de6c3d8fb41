{{/*
The pod of a component, alike for all: who runs, where, with which files, secrets and limits.

Takes (dict "root" $ "component" NAME "name" WORKLOAD "account" SERVICE-ACCOUNT "image" NAME "env" MAP) and, where they
differ: "place" its working directory, "files" the component whose files it gets (or none), "envFrom" YAML of more variables, "command" list, "args" list, "secrets" list of file names, "tls" Secret name, "ca" true (only the CA's certificate),
"data" emptyDir|volume|none, "run" a directory that must be writable, "token" true (API token), "annotations" map,
"ports" map name: number, "probes" YAML, "replicas" number, "apart" true (not beside the pod of the same ordinal),
"sysctls" YAML, "grace" s, "stopDelay" s, "volumes" YAML, "moves" true (may start on any node), "restart" policy.
*/}}
{{- define "blinkchamber.pod" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "blinkchamber.selector" . | nindent 4 }}
    app.kubernetes.io/name: {{ .name }}
  annotations:
    # A changed file is a new pod: servers read their files when they start.
    checksum/files: {{ include "blinkchamber.files" . | sha256sum }}
    checksum/ca: {{ $values.tls.caBundle | sha256sum }}
    {{- with .annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: {{ .token | default false }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace | default 30 }}
  restartPolicy: {{ .restart | default "Always" }}
  {{- with $values.imagePullSecrets }}
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
    # Not at every start: it widens modes, and PostgreSQL refuses a data directory that its group may write to.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
    {{- with .sysctls }}
    sysctls:
      {{- . | nindent 6 }}
    {{- end }}
  dnsConfig:
    # Names here are whole; a name server that died must not cost the default 5 s.
    options:
      - {name: ndots, value: "2"}
      - {name: timeout, value: "1"}
      - {name: attempts, value: "3"}
  {{- include "blinkchamber.placement" . | nindent 2 }}
  containers:
    - name: {{ .component }}
      image: {{ include "blinkchamber.image" . }}
      imagePullPolicy: {{ $values.imagePullPolicy }}
      {{- if or .command (not .args) }}
      command: {{ .command | default (list "/files/start.sh") | toJson }}
      {{- end }}
      {{- with .place }}
      workingDir: {{ . }}
      {{- end }}
      {{- with .args }}
      args: {{ toJson . }}
      {{- end }}
      env:
        - {name: INSTANCE, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        {{- range $name, $value := merge (deepCopy (.env | default dict)) (dict "DATA" "/data" "FILES" "/files" "SECRETS" "/secrets" "TLS" "/tls" "HOME" "/data" "LANG" "C.UTF-8") }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- with .envFrom }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with .ports }}
      ports:
        {{- range $name, $number := . }}
        - {name: {{ $name }}, containerPort: {{ $number }}}
        {{- end }}
      {{- end }}
      {{- with .probes }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with .stopDelay }}
      # Served until the Services no longer send anybody here.
      lifecycle: {preStop: {sleep: {seconds: {{ . }}}}}
      {{- end }}
      resources:
        {{- toYaml (required (printf "resources.%s is missing" (.size | default .component)) (get $values.resources (.size | default .component))) | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if ne (.files | default "") "none" }}
        - {name: files, mountPath: /files, readOnly: true}
        {{- end }}
        {{- if ne (.data | default "emptyDir") "none" }}
        - {name: data, mountPath: /data}
        {{- end }}
        {{- if .secrets }}
        - {name: secrets, mountPath: /secrets, readOnly: true}
        {{- end }}
        {{- if or .tls .ca }}
        - {name: tls, mountPath: /tls, readOnly: true}
        {{- end }}
        {{- with .run }}
        - {name: run, mountPath: {{ . }}}
        {{- end }}
  volumes:
    - {name: tmp, emptyDir: {}}
    {{- if ne (.files | default "") "none" }}
    - name: files
      configMap: {name: {{ .files | default .component }}-files, defaultMode: 0555}
    {{- end }}
    {{- if eq (.data | default "emptyDir") "emptyDir" }}
    - {name: data, emptyDir: {}}
    {{- end }}
    {{- with .secrets }}
    - name: secrets
      secret:
        secretName: blinkchamber-secrets
        defaultMode: 0440
        items:
          {{- range . }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- end }}
    {{- if .tls }}
    - name: tls
      secret: {secretName: {{ .tls }}, defaultMode: 0440}
    {{- else if .ca }}
    - name: tls
      configMap: {name: blinkchamber-ca}
    {{- end }}
    {{- if .run }}
    - {name: run, emptyDir: {}}
    {{- end }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Where a pod may run: never or last on the suite's node, one a node up to three, evenly beyond. */}}
{{- define "blinkchamber.placement" -}}
{{- $scheduling := .root.Values.scheduling -}}
affinity:
  nodeAffinity:
    {{- if $scheduling.avoidSuiteNode }}
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - {key: chaosblink.io/suite, operator: NotIn, values: ["true"]}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          matchExpressions:
            - {key: chaosblink.io/suite, operator: NotIn, values: ["true"]}
    {{- end }}
  {{- if .apart }}
  # A Redis set is a master and its replicas: pods of one component with one number. `matchLabelKeys` adds this pod's own
  # number to the selector.
  podAntiAffinity:
    {{- if $scheduling.separateNodes }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: {matchLabels: {app.kubernetes.io/component: {{ .component }}}}
        matchLabelKeys: [apps.kubernetes.io/pod-index]
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: {matchLabels: {app.kubernetes.io/component: {{ .component }}}}
          matchLabelKeys: [apps.kubernetes.io/pod-index]
    {{- end }}
  {{- end }}
{{- if .replicas }}
topologySpreadConstraints:
  # Nodes that are drained or gone do not count, so a pod of theirs may start beside another. For Redis even spread is a
  # wish: together with the rule above it could leave the last pod without any node.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ if or .apart (gt (int .replicas) 3) }}ScheduleAnyway{{ else }}DoNotSchedule{{ end }}
    nodeAffinityPolicy: Honor
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "blinkchamber.selector" . | nindent 8 }}
        {{- with .matchLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- if .moves }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
{{- end }}
{{- if or $scheduling.tolerateControlPlane .moves }}
tolerations:
  {{- if $scheduling.tolerateControlPlane }}
  - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
  {{- end }}
  {{- if .moves }}
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $scheduling.evictAfterSeconds }}}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $scheduling.evictAfterSeconds }}}
  {{- end }}
{{- end }}
{{- end -}}
