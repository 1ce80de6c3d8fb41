#!/usr/bin/env bash
# Settings of a PgPool instance: everything that varies, with its default; sourced by the other scripts.
# shellcheck disable=SC2034  # read by the scripts that source this one

PGPOOL_PORT=${PGPOOL_PORT:-5432}
PGPOOL_LISTEN=${PGPOOL_LISTEN:-$ADDRESS}
PGPOOL_BACKEND_PORT=${PGPOOL_BACKEND_PORT:-5432}
PGPOOL_PCP_PORT=${PGPOOL_PCP_PORT:-9898}
# One child serves one client at a time.
PGPOOL_CHILDREN=${PGPOOL_CHILDREN:-24}
# On: PgPool logs in to all three servers for every client, which would cost three server processes a fresh connection.
# Each child keeps one a user, so children x 2 x instances stays below PostgreSQL's max_connections.
PGPOOL_CONNECTION_CACHE=${PGPOOL_CONNECTION_CACHE:-on}
# As PostgreSQL's (see its settings.sh).
PG_AUTHENTICATION=${PG_AUTHENTICATION:-scram-sha-256}
PGPOOL_HEALTH_CHECK_PERIOD=${PGPOOL_HEALTH_CHECK_PERIOD:-1}
PGPOOL_HEALTH_CHECK_TIMEOUT=${PGPOOL_HEALTH_CHECK_TIMEOUT:-3}
PGPOOL_HEALTH_CHECK_RETRIES=${PGPOOL_HEALTH_CHECK_RETRIES:-2}
PGPOOL_SR_CHECK_PERIOD=${PGPOOL_SR_CHECK_PERIOD:-1}
PGPOOL_SEARCH_PRIMARY_TIMEOUT=${PGPOOL_SEARCH_PRIMARY_TIMEOUT:-2}
PGPOOL_FOLLOW_INTERVAL=${PGPOOL_FOLLOW_INTERVAL:-0.5}
# PgPool drops every session when a backend of a lower number comes back, so standbys are taken back this many seconds
# after a new primary was named: long after the writes' return, which it would interrupt.
PGPOOL_ATTACH_DELAY=${PGPOOL_ATTACH_DELAY:-15}
# Seconds after a primary is found that PgPool's start waits for the other backends, which it would take for down.
PGPOOL_START_GRACE=${PGPOOL_START_GRACE:-6}
# Seconds for which PgPool may not take the primary it is told before it is started anew. A frozen server accepts
# connections and never answers: PgPool's parent then waits for it without end, and hears nothing else.
PGPOOL_STUCK_TIMEOUT=${PGPOOL_STUCK_TIMEOUT:-5}
# Seconds since the primary last answered after which one that accepts connections counts as frozen.
PGPOOL_SILENT_TIMEOUT=${PGPOOL_SILENT_TIMEOUT:-5}
ALLOWED_NETWORK=${ALLOWED_NETWORK:-samenet}

export PCPPASSFILE=$DATA/pcppass
export PGPASSFILE=$DATA/pgpass
# Nothing here may hang on a server that went silent (libpq, "Parameter Key Words").
KEEPALIVES="keepalives_idle=1 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=3000"

# The directory of PostgreSQL's programs: PG_BIN, else pg_config's, else that of the newest version installed.
pg_bin() {
  local found
  if [[ -n ${PG_BIN:-} ]]; then
    echo "$PG_BIN"
  elif found=$(pg_config --bindir 2>/dev/null) && [[ -x $found/psql ]]; then
    echo "$found"
  else
    printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1
  fi
}
PATH=$(pg_bin):$PATH:/usr/sbin
export PATH

log() { echo "$(date -u +%H:%M:%S.%3N) $INSTANCE: $*" >&2; }
