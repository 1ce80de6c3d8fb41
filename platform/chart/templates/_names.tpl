{{/* Names, labels and addresses. Every template here takes (dict "root" $ "component" NAME ...). */}}

{{/* The owner's namespaces. */}}
{{- define "blinkchamber.namespace" -}}
{{- get (dict "vault" "blinkchamber" "vault-setup" "blinkchamber" "injector" "blinkchamber"
  "postgresql" "database" "pgpool" "database" "redis" "database" "sentinel" "database" "test" "database"
  "identity" "identity" "eventrelay" "identity" "edge" "ingress" "suite" "chaosblink") .component | required (printf "no such component: %s" .component) -}}
{{- end -}}

{{/* What selects the pods of a component. */}}
{{- define "blinkchamber.selector" -}}
app.kubernetes.io/part-of: blinkchamber-platform
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "blinkchamber.labels" -}}
{{ include "blinkchamber.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "blinkchamber.image" -}}
{{- $image := required (printf "images.%s is missing" .image) (get .root.Values.images .image) -}}
{{ $image.repository }}:{{ $image.tag }}
{{- end -}}

{{/* A Service's name, whole: with all its dots it is asked for once and not with every search domain. */}}
{{- define "blinkchamber.host" -}}
{{ .service }}.{{ include "blinkchamber.namespace" . }}.svc.{{ .root.Values.clusterDomain }}
{{- end -}}

{{/* The form of PEERS: "name=address name=address ..." of a StatefulSet's pods; takes also stem, service and count. */}}
{{- define "blinkchamber.pods" -}}
{{- $host := include "blinkchamber.host" . -}}
{{- $stem := .stem -}}
{{- $pods := list -}}
{{- range $ordinal := until (int .count) -}}
{{- $pods = append $pods (printf "%s-%d=%s-%d.%s" $stem $ordinal $stem $ordinal $host) -}}
{{- end -}}
{{- join " " $pods -}}
{{- end -}}

{{- define "blinkchamber.vaultPods" -}}
{{ include "blinkchamber.pods" (dict "root" . "component" "vault" "stem" "vault" "service" "vault-internal" "count" .Values.vault.server.ha.replicas) }}
{{- end -}}

{{- define "blinkchamber.postgresqlPods" -}}
{{ include "blinkchamber.pods" (dict "root" . "component" "postgresql" "stem" "postgresql-ha-postgresql" "service" "postgresql-ha-postgresql" "count" (index .Values "postgresql-ha").postgresql.replicaCount) }}
{{- end -}}

{{- define "blinkchamber.pgpoolPods" -}}
{{ include "blinkchamber.pods" (dict "root" . "component" "pgpool" "stem" "postgresql-ha-pgpool" "service" "postgresql-ha-pgpool-headless" "count" (index .Values "postgresql-ha").pgpool.replicaCount) }}
{{- end -}}

{{- define "blinkchamber.redisMasterPods" -}}
{{ include "blinkchamber.pods" (dict "root" . "component" "redis" "stem" "redis-master" "service" "redis-masters" "count" .Values.redis.master.replicaCount) }}
{{- end -}}

{{/* At least one replica a set; a number that does not divide evenly would move replicas between sets when it changes. */}}
{{- define "blinkchamber.redisReplicas" -}}
{{- $masters := int .Values.redis.master.replicaCount -}}
{{- $replicas := max $masters (int .Values.redis.replica.replicaCount) -}}
{{- if mod $replicas $masters -}}
{{- fail (printf "redis.replica.replicaCount: %d replicas cannot be shared evenly by %d masters" $replicas $masters) -}}
{{- end -}}
{{- $replicas -}}
{{- end -}}

{{- define "blinkchamber.redisReplicaPods" -}}
{{ include "blinkchamber.pods" (dict "root" . "component" "redis" "stem" "redis-replica" "service" "redis-replicas" "count" (include "blinkchamber.redisReplicas" .)) }}
{{- end -}}

{{/* The master and the replicas of set 1, by name: that is where every number that leaves the remainder 0 belongs. */}}
{{- define "blinkchamber.redisSet1" -}}
{{- $pods := list -}}
{{- range $number, $pod := splitList " " (include "blinkchamber.redisReplicaPods" .) -}}
{{- if eq (mod $number (int $.Values.redis.master.replicaCount)) 0 -}}{{- $pods = append $pods $pod -}}{{- end -}}
{{- end -}}
{{ first (splitList " " (include "blinkchamber.redisMasterPods" .)) }} {{ join " " $pods }}
{{- end -}}

{{- define "blinkchamber.sentinelPods" -}}
{{ include "blinkchamber.pods" (dict "root" . "component" "sentinel" "stem" "redis-sentinel" "service" "redis-sentinel" "count" .Values.redis.sentinel.replicaCount) }}
{{- end -}}

{{/* The shared files of a component: the same bytes the local target runs. */}}
{{- define "blinkchamber.files" -}}
{{ (.root.Files.Glob (printf "files/%s/*" (.files | default .component))).AsConfig }}
{{- end -}}
