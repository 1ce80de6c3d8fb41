#!/bin/sh
# Runs the edge: renders the servers into $DATA/backends.cfg (0600) and becomes HAProxy.
#
# Environment: INSTANCE ADDRESS DATA SECRETS FILES TLS (docs/architecture.md; tls.pem is certificate and key, made here
# from tls.crt and tls.key where it is missing), RUN_AS (HAProxy drops to it after it has bound its ports), HAPROXY
# (haproxy), IDENTITY PGPOOL REDIS_SET1 SENTINELS VAULT (name=address ... each), or instead of IDENTITY IDENTITY_NODES
# (one name with the addresses of all nodes, whose number may change), IDENTITY_PORT (8080), EDGE_TLS_PORT (443),
# EDGE_VAULT_PORT (8200), EDGE_POSTGRESQL_PORT (5432), EDGE_REDIS_PORT (6379), EDGE_METRICS_PORT (8404), EDGE_RESOLVE
# (false; true where addresses are names that may change), EDGE_HEALTH_CHECKS (true; false is a deliberate weakness:
# dead servers keep getting their share).
set -eu

# servers LIST PORT OPTIONS: one line a server.
servers() {
  for entry in $1; do
    echo "  server ${entry%%=*} ${entry#*=}:$2 $3$RESOLVE"
  done
}

identity() {
  # No shutdown-sessions: a node is also unready (412) while the database fails over, and what it has in hand may
  # still succeed.
  cat <<CFG
backend identity
  mode http
  balance roundrobin
  retry-on conn-failure empty-response
  option httpchk GET /debug/ready
  http-check expect status 200
CFG
  # Without checks the edge does not look after its servers at all: no second server for a refused connection either.
  [ -n "$CHECK" ] || printf '  retries 0\n  no option redispatch\n'
  if [ -n "${IDENTITY_NODES:-}" ]; then
    echo "  server-template identity- 10 $IDENTITY_NODES:${IDENTITY_PORT:-8080} $CHECK$RESOLVE"
  else
    servers "$IDENTITY" "${IDENTITY_PORT:-8080}" "$CHECK"
  fi
}

# Only the active node answers 200; a standby says 429, a sealed one 503.
vault() {
  cat <<CFG
backend vault
  mode http
  retry-on conn-failure empty-response
  option httpchk GET /v1/sys/health
  http-check expect status 200
CFG
  servers "$VAULT" 8200 "ssl verify required ca-file $TLS/ca.crt $CHECK ${CHECK:+on-marked-down shutdown-sessions}"
}

# An SSLRequest is answered (S or N) by PgPool itself: the check proves that PgPool serves, whatever its servers do.
# Slower than the others, since each check occupies one of PgPool's few processes for a moment.
pgpool() {
  cat <<CFG
backend pgpool
  mode tcp
  balance leastconn
  timeout server 1h
  timeout check 1s
  option tcp-check
  tcp-check connect
  tcp-check send-binary 0000000804d2162f
  tcp-check expect rstring ^[SN]
CFG
  servers "$PGPOOL" 5432 "$CHECK ${CHECK:+inter 1s fall 3 on-marked-down shutdown-sessions}"
}

# votes NAME ADDRESS: the Sentinels that name ADDRESS master of set 1 are up, the others are down.
votes() {
  cat <<CFG
backend redis-votes-$1
  mode tcp
  option tcp-check
  tcp-check connect
  tcp-check send "SENTINEL get-master-addr-by-name set-1\r\n"
  tcp-check expect string "\r\n$2\r\n"
CFG
  servers "$SENTINELS" 26379 "check inter 250ms fastinter 250ms downinter 250ms fall 1"
}

# candidate NAME ADDRESS: the server itself, as long as it says that it is a master.
candidate() {
  cat <<CFG
backend redis-$1
  mode tcp
  timeout server 1h
  option tcp-check
  tcp-check connect
  tcp-check send "AUTH $PASSWORD\r\n"
  tcp-check expect string +OK
  tcp-check send "INFO replication\r\n"
  tcp-check expect string role:master
CFG
  servers "$1=$2" 6379 "check on-marked-down shutdown-sessions"
}

# redis-master follows the majority of the Sentinels, and not the servers' own word alone: a master that was frozen or
# cut off says master until it is demoted, and a write sent there would be lost. Two of three Sentinels name one
# server, so two servers never get writes at once. Its own word is needed as well, for the moment in which the
# Sentinels have not noticed yet.
redis() {
  cat <<CFG
frontend redis-master
  mode tcp
  bind "$ADDRESS:${EDGE_REDIS_PORT:-6379}"
  timeout client 1h
CFG
  for server in $REDIS_SET1; do
    echo "  use_backend redis-${server%%=*} if { nbsrv(redis-votes-${server%%=*}) ge 2 }"
  done
  for server in $REDIS_SET1; do
    votes "${server%%=*}" "${server#*=}"
    candidate "${server%%=*}" "${server#*=}"
  done
}

resolvers() {
  [ -z "$RESOLVE" ] || cat <<CFG
resolvers dns
  parse-resolv-conf
  hold valid 1s
  timeout resolve 1s
CFG
}

run_as() {
  if [ "$(id -u)" = 0 ] && [ "${RUN_AS:-root}" != root ]; then
    printf 'global\n  user %s\n  group %s\n' "$RUN_AS" "$(id -gn "$RUN_AS")"
  fi
}

umask 077
mkdir -p "$DATA"
PASSWORD=$(cat "$SECRETS/redis-password")
CHECK=check
[ "${EDGE_HEALTH_CHECKS:-true}" = true ] || CHECK=
RESOLVE=
[ "${EDGE_RESOLVE:-false}" = false ] || RESOLVE=" resolvers dns resolve-prefer ipv4 init-addr none"

export ADDRESS EDGE_TLS_PORT="${EDGE_TLS_PORT:-443}" EDGE_POSTGRESQL_PORT="${EDGE_POSTGRESQL_PORT:-5432}"
export EDGE_VAULT_PORT="${EDGE_VAULT_PORT:-8200}" EDGE_METRICS_PORT="${EDGE_METRICS_PORT:-8404}" EDGE_PEM="$TLS/tls.pem"
if [ ! -e "$EDGE_PEM" ]; then
  EDGE_PEM="$DATA/tls.pem"
  cat "$TLS/tls.crt" "$TLS/tls.key" >"$EDGE_PEM"
fi
{
  run_as
  resolvers
  identity
  vault
  pgpool
  redis
} >"$DATA/backends.cfg"
echo "start.sh: $INSTANCE on $ADDRESS, active checks ${EDGE_HEALTH_CHECKS:-true}"
exec "${HAPROXY:-haproxy}" -db -f "$FILES/haproxy.cfg" -f "$DATA/backends.cfg"
