#!/usr/bin/env bash
# One PgPool instance: pgpool and the follower under one main process that ends when either ends.
#
# Environment: INSTANCE ADDRESS DATA SECRETS FILES (docs/architecture.md) and BACKENDS, the PostgreSQL instances in the
# form of PEERS; settings with defaults: settings.sh.
set -euo pipefail

RUN_AS=${RUN_AS:-postgres}

# As root: put files and secrets where the server's user can read them, then become that user (no fork).
drop_privileges() {
  local secret
  install -d -o "$RUN_AS" -m 0700 "$DATA" "$DATA/files" "$DATA/secrets"
  install -o "$RUN_AS" -m 0700 "$FILES"/*.sh "$DATA/files"
  for secret in postgres-password zitadel-password chaos-password pgpool-password; do
    install -o "$RUN_AS" -m 0600 "$SECRETS/$secret" "$DATA/secrets"
  done
  cd "$DATA"
  exec setpriv --reuid="$RUN_AS" --regid="$(id -g "$RUN_AS")" --init-groups \
    env HOME="$DATA" FILES="$DATA/files" SECRETS="$DATA/secrets" "$BASH" "$DATA/files/start.sh"
}

if [[ $EUID == 0 ]]; then
  drop_privileges
fi
umask 0077
mkdir -p "$DATA"
cd "$DATA"
for part in settings session configure follow; do
  # shellcheck source=/dev/null
  source "$FILES/$part.sh"
done

PGPOOL="" FOLLOWER=""

# A parent that waits for a frozen server hears no signal but this one, and its children would keep its port.
kill_stuck() {
  local children=()
  [[ -e $DATA/stuck ]] || return 0
  read -ra children <"/proc/$PGPOOL/task/$PGPOOL/children" || true
  kill -KILL "$PGPOOL" "${children[@]}" 2>/dev/null || true
}

stop_all() {
  trap '' TERM INT
  [[ -z $FOLLOWER ]] || kill "$FOLLOWER" 2>/dev/null || true
  # INT is a fast shutdown: clients are disconnected.
  [[ -z $PGPOOL ]] || kill_stuck
  [[ -z $PGPOOL ]] || kill -INT "$PGPOOL" 2>/dev/null || true
  [[ -z $PGPOOL ]] || wait "$PGPOOL" 2>/dev/null || true
  exit "${1:-0}"
}

trap stop_all TERM INT
write_configuration
wait_for_backends
write_status
pgpool -n -f "$DATA/pgpool.conf" -a "$DATA/pool_hba.conf" -F "$DATA/pcp.conf" &
PGPOOL=$!
follow &
FOLLOWER=$!
wait -n "$PGPOOL" "$FOLLOWER" || true
log "a process ended"
stop_all 1
