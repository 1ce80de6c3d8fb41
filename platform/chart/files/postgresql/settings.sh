#!/usr/bin/env bash
# Settings of a PostgreSQL instance: everything that varies, with its default; sourced by the other scripts.
# shellcheck disable=SC2034  # read by the scripts that source this one

PG_PORT=${PG_PORT:-5432}
PG_LISTEN=${PG_LISTEN:-$ADDRESS}
PG_SYNCHRONOUS_COMMIT=${PG_SYNCHRONOUS_COMMIT:-on}
# Twice what both PgPools' children hold (2 x 24 x 2), since PgPool opens new ones before a server has noticed the end of
# the old, and some for the rest. A server that turns PgPool away for lack of slots is taken for dead.
PG_MAX_CONNECTIONS=${PG_MAX_CONNECTIONS:-200}
# scram-sha-256 or md5. PgPool's own SCRAM code takes about 10 ms of CPU for each client and each server behind it: after
# every attach all its sessions log in anew, and on two busy cores that storm fed on itself for 80 s. Passwords are 24
# random bytes, so md5's cheap guesses find nothing; what it lacks is protection from a stolen pg_authid.
PG_AUTHENTICATION=${PG_AUTHENTICATION:-scram-sha-256}
PG_SHARED_BUFFERS=${PG_SHARED_BUFFERS:-32MB}
PG_WAL_SENDER_TIMEOUT=${PG_WAL_SENDER_TIMEOUT:-3s}
PG_WAL_RECEIVER_TIMEOUT=${PG_WAL_RECEIVER_TIMEOUT:-3s}
PG_WAL_KEEP_SIZE=${PG_WAL_KEEP_SIZE:-128MB}
PG_MAX_WAL_SIZE=${PG_MAX_WAL_SIZE:-256MB}
# A dead standby's slot may hold back this much WAL; beyond it the standby is cloned anew instead.
PG_MAX_SLOT_WAL_KEEP_SIZE=${PG_MAX_SLOT_WAL_KEEP_SIZE:-512MB}
ALLOWED_NETWORK=${ALLOWED_NETWORK:-samenet}

# Seconds the first instance looks for a living cluster before it makes a new one.
PG_INIT_WAIT=${PG_INIT_WAIT:-1}
# Seconds a standby may take from its start until it streams, before a more thorough way to rejoin is tried.
PG_STREAM_TIMEOUT=${PG_STREAM_TIMEOUT:-8}
# Seconds a standby may be without stream beside a living primary before it rejoins from the start.
PG_STREAM_LOST_TIMEOUT=${PG_STREAM_LOST_TIMEOUT:-15}
# Seconds without any primary after which the most advanced standby of a majority is promoted without repmgrd.
PG_ORPHAN_TIMEOUT=${PG_ORPHAN_TIMEOUT:-30}
# Seconds a primary may be without answer from any peer before it stops itself.
PG_FENCE_TIMEOUT=${PG_FENCE_TIMEOUT:-3}
# Seconds allowed for election, promotion and its becoming visible, within the failover window.
PG_PROMOTE_ALLOWANCE=${PG_PROMOTE_ALLOWANCE:-4}

REPMGR_MONITOR_INTERVAL=${REPMGR_MONITOR_INTERVAL:-1}
REPMGR_RECONNECT_ATTEMPTS=${REPMGR_RECONNECT_ATTEMPTS:-3}
REPMGR_RECONNECT_INTERVAL=${REPMGR_RECONNECT_INTERVAL:-1}
REPMGR_CONNECT_TIMEOUT=${REPMGR_CONNECT_TIMEOUT:-2}

PGDATA_DIR=$DATA/pgdata
REPMGR_CONF=$DATA/repmgr.conf
NODE_ID=$((${INSTANCE##*-} + 1))
SLOT=repmgr_slot_$NODE_ID
export PGPASSFILE=$DATA/pgpass
export PGCONNECT_TIMEOUT=$REPMGR_CONNECT_TIMEOUT
# Nothing here may hang on a peer that went silent (libpq, "Parameter Key Words").
KEEPALIVES="keepalives_idle=1 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=3000"

# The directory of the server's programs: PG_BIN, else pg_config's, else that of the newest version installed.
pg_bin() {
  local found
  if [[ -n ${PG_BIN:-} ]]; then
    echo "$PG_BIN"
  elif found=$(pg_config --bindir 2>/dev/null) && [[ -x $found/postgres ]]; then
    echo "$found"
  else
    printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1
  fi
}
PG_BIN=$(pg_bin)
export PATH=$PG_BIN:$PATH

log() { echo "$(date -u +%H:%M:%S.%3N) $INSTANCE: $*" >&2; }

# wait_until SECONDS COMMAND...: true as soon as COMMAND is, false when SECONDS have passed.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# Seconds within which repmgrd replaces a primary that was killed: it is noticed within one monitor interval, retried
# attempts x interval, seen as gone by every sibling within two monitor intervals (primary_visibility_consensus), and
# the winner is promoted within the allowance. (A port without process refuses at once, so attempts cost no timeout.)
failover_window() {
  echo $((REPMGR_MONITOR_INTERVAL + REPMGR_RECONNECT_ATTEMPTS * REPMGR_RECONNECT_INTERVAL \
    + 2 * REPMGR_MONITOR_INTERVAL + PG_PROMOTE_ALLOWANCE))
}
