#!/usr/bin/env bash
# What the instances of the cluster say about themselves; sourced.

# The address of an instance, as PEERS has it (stable, unlike ADDRESS on Kubernetes).
host_of() {
  local peer
  for peer in $PEERS; do
    [[ ${peer%%=*} == "$1" ]] && echo "${peer#*=}" && return
  done
  return 1
}

# The names of all other instances.
other_names() {
  local peer
  for peer in $PEERS; do
    [[ ${peer%%=*} == "$INSTANCE" ]] || echo "${peer%%=*}"
  done
}

# repmgr's number of an instance; 0 is not allowed there.
node_id_of() { echo $((${1##*-} + 1)); }

conninfo_of() {
  echo "host=$(host_of "$1") port=$PG_PORT user=repmgr dbname=repmgr connect_timeout=$REPMGR_CONNECT_TIMEOUT $KEEPALIVES"
}

# sql NAME STATEMENT: its unaligned answer; fails when the instance does not answer within seconds. A busy machine gets
# more patience for its own server than for a peer, which may be dead: libpq takes the last value of a keyword.
sql() {
  local patience=$REPMGR_CONNECT_TIMEOUT
  [[ $1 != "$INSTANCE" ]] || patience=10
  timeout $((patience + 3)) psql -XAtqw -v ON_ERROR_STOP=1 \
    -d "$(conninfo_of "$1") connect_timeout=$patience" -c "$2"
}

# "primary|standby TIMELINE LSN REPMGRD(true|false)" of one instance. The timeline is the latest of which it has the
# history file, which a standby fetches before it streams from a new primary; its control file learns of it much later.
# The LSN of a standby is the last one it has safely received, of which the next primary must have the highest.
state_of() {
  sql "$1" "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END
    || ' ' || greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT
         ('x' || max(left(name, 8)))::bit(32)::int FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{8}[.]history$'))
    || ' ' || CASE WHEN pg_is_in_recovery()
         THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn
         ELSE pg_current_wal_lsn() - '0/0'::pg_lsn END
    || ' ' || repmgr.repmgrd_is_running()" 2>/dev/null
}

name_and_state() {
  local state
  state=$(state_of "$1") && echo "$1 $state"
}

# One line "NAME ROLE TIMELINE LSN REPMGRD" for every other instance that answers; all are asked at once.
ask_peers() {
  local name
  for name in $(other_names); do
    name_and_state "$name" &
  done
  wait
}

# The peer that is primary, of the highest timeline when (wrongly) two are; empty when none is.
primary_among() {
  awk '$2 == "primary"' <<<"$1" | sort -k3,3n | tail -n 1 | cut -d' ' -f1
}

standbys_among() {
  awk '$2 == "standby"' <<<"$1" | wc -l
}

# The latest timeline any of them knows; 0 when none answers.
latest_timeline_among() {
  awk '$3 > latest { latest = $3 } END { print latest + 0 }' <<<"$1"
}

# On a primary: forget instances that PEERS no longer names. Their votes would count as absent in every election of
# repmgrd, and their slots hold back WAL. True when there is nothing (more) to forget.
forget_departed() {
  local peer ids=""
  for peer in $PEERS; do
    ids+="${ids:+, }$(node_id_of "${peer%%=*}")"
  done
  sql "$INSTANCE" "BEGIN;
    UPDATE repmgr.nodes SET upstream_node_id = NULL WHERE upstream_node_id NOT IN ($ids);
    DELETE FROM repmgr.nodes WHERE node_id NOT IN ($ids);
    COMMIT;
    SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active
      AND slot_name ~ '^repmgr_slot_[0-9]+$' AND substr(slot_name, 13)::int NOT IN ($ids)" >/dev/null
}

# Fewest answering peers that make a majority of the cluster together with this instance.
peers_for_majority() {
  echo $(($(wc -w <<<"$PEERS") / 2))
}
