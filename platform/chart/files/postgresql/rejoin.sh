#!/usr/bin/env bash
# Ways to become a standby of a living primary, cheapest first: stream, rewind, clone; sourced.

system_identifier() {
  pg_controldata -D "$PGDATA_DIR" | awk -F: '/system identifier/ { gsub(/ /, "", $2); print $2 }'
}

# Data of another cluster is never thrown away: somebody has to look.
same_cluster() {
  [[ $(sql "$1" "SELECT system_identifier FROM pg_control_system()") == "$(system_identifier)" ]]
}

ensure_slot() {
  sql "$1" "SELECT pg_create_physical_replication_slot('$SLOT', true) WHERE NOT EXISTS
    (SELECT FROM pg_replication_slots WHERE slot_name = '$SLOT' AND wal_status IS DISTINCT FROM 'lost')" >/dev/null && return
  # A slot that lost its WAL is of no use to anybody.
  sql "$1" "SELECT pg_drop_replication_slot('$SLOT')" >/dev/null
  sql "$1" "SELECT pg_create_physical_replication_slot('$SLOT', true)" >/dev/null
}

streaming() {
  [[ $(sql "$INSTANCE" "SELECT status FROM pg_stat_wal_receiver" 2>/dev/null) == streaming ]]
}

streaming_or_ended() { streaming || ! kill -0 "$POSTGRES" 2>/dev/null; }

# try_standby PRIMARY: start as its standby; true once it streams.
try_standby() {
  ensure_slot "$1" || return 1
  # Slots of the time as primary would hold back WAL for ever.
  rm -rf "$PGDATA_DIR"/pg_replslot/*
  write_upstream "$1"
  start_postgres
  if wait_until "$PG_STREAM_TIMEOUT" streaming_or_ended && kill -0 "$POSTGRES" 2>/dev/null; then
    rm -f "$DATA/superseded"
    log "streaming from $1"
    return 0
  fi
  log "does not stream from $1"
  stop_postgres
  return 1
}

# Take back what this instance wrote after the new primary's timeline had begun.
rewind() {
  # pg_rewind reads the source's timeline from its last checkpoint, which after a promotion may be the old one's.
  sql "$1" "CHECKPOINT" >/dev/null || return 1
  touch "$DATA/rewinding"
  rm -f "$PGDATA_DIR/standby.signal"
  write_server_conf
  log "rewinding to $1"
  pg_rewind -D "$PGDATA_DIR" --no-sync --source-server="$(conninfo_of "$1")" >&2 || return 1
  rm -f "$DATA/rewinding"
}

# A full copy beside the old data, which goes only when the copy is complete.
clone() {
  local new=$DATA/pgdata.new
  rm -rf "$new"
  log "cloning from $1"
  ensure_slot "$1" || return 1
  pg_basebackup -d "$(conninfo_of "$1")" -D "$new" -X stream -c fast -w --no-manifest --no-sync >&2 || return 1
  rm -rf "$PGDATA_DIR"
  mv "$new" "$PGDATA_DIR"
  rm -f "$DATA/rewinding"
}

# Tell the cluster whose standby this instance is. Its record exists once it has joined for the first time.
register_standby() {
  [[ $(sql "$1" "UPDATE repmgr.nodes SET type = 'standby', upstream_node_id = $(node_id_of "$1"), active = true
    WHERE node_id = $NODE_ID RETURNING 1") == 1 ]] ||
    "$PG_BIN/repmgr" -f "$REPMGR_CONF" standby register --force --upstream-node-id="$(node_id_of "$1")" >&2
}

# follow PRIMARY: a running standby changes over to it; the server takes the new address on reload.
follow() {
  ensure_slot "$1" || return 1
  write_upstream "$1"
  kill -HUP "$(head -n 1 "$PGDATA_DIR/postmaster.pid")"
  register_standby "$1"
}

# become_standby PRIMARY: false when no way worked (the primary may have died meanwhile): decide anew.
become_standby() {
  local primary=$1
  if [[ ! -d $PGDATA_DIR ]]; then
    clone "$primary" && try_standby "$primary" && register_standby "$primary"
    return
  fi
  if ! same_cluster "$primary"; then
    log "$primary does not answer or belongs to another cluster: keeping the data, not joining"
    return 1
  fi
  if [[ ! -e $DATA/rewinding ]]; then
    if was_primary; then
      touch "$DATA/superseded"
      rewind "$primary" && try_standby "$primary" && register_standby "$primary" && return
    else
      try_standby "$primary" && register_standby "$primary" && return
    fi
  fi
  clone "$primary" && try_standby "$primary" && register_standby "$primary"
}
