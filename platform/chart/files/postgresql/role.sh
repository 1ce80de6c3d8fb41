#!/usr/bin/env bash
# Decides at start whether this instance is primary or standby, and of whom; sourced.

has_data() { [[ -f $PGDATA_DIR/PG_VERSION ]]; }

was_primary() { has_data && [[ ! -e $PGDATA_DIR/standby.signal ]]; }

is_first() { [[ ${PEERS:?} == "$INSTANCE="* ]]; }

decide_and_start() {
  rm -rf "$DATA/pgdata.new"
  until decide; do
    [[ -z ${POSTGRES:-} ]] || stop_postgres
    sleep 0.3
  done
}

# One attempt; false when the cluster changed under it.
decide() {
  local peers primary
  peers=$(ask_peers)
  primary=$(primary_among "$peers")
  if [[ -n $primary ]]; then
    become_standby "$primary"
  elif ! has_data; then
    is_first && create_when_nobody_answers
  elif [[ -e $DATA/rewinding ]]; then
    log "half rewound: waiting for a primary to copy"
    wait_until 10 peer_is_primary
    return 1
  elif was_primary; then
    resume_as_primary
  else
    start_as_orphan
  fi
}

peer_is_primary() { [[ -n $(primary_among "$(ask_peers)") ]]; }

somebody_answers() { [[ -n $(ask_peers) ]]; }

create_when_nobody_answers() {
  if wait_until "$PG_INIT_WAIT" somebody_answers; then
    return 1
  fi
  create_cluster
}

# Nobody is primary and this instance was: give the others the time of a failover, then go on where it stopped. One
# that has seen its successor waits much longer, so that the successor comes back first. Two former primaries (the second
# was killed before anybody followed it) wait for each other as well: neither sees the other while both wait, so each
# waits 3 s longer than the one before it, the time in which that one is seen as primary.
resume_as_primary() {
  local window peers start=$SECONDS
  window=$(($(failover_window) + 3 * $(ordinal "$INSTANCE")))
  [[ ! -e $DATA/superseded ]] || window=$((window + PG_ORPHAN_TIMEOUT))
  log "was primary; waiting for another primary, at most $window s: failover window of $(failover_window) s" \
    "(monitor $REPMGR_MONITOR_INTERVAL + attempts $REPMGR_RECONNECT_ATTEMPTS x interval $REPMGR_RECONNECT_INTERVAL" \
    "+ consensus 2 x $REPMGR_MONITOR_INTERVAL + promotion $PG_PROMOTE_ALLOWANCE)"
  until [[ -e $DATA/alone ]]; do
    peers=$(ask_peers)
    [[ -z $(primary_among "$peers") ]] || return 1
    if may_resume "$peers" $((SECONDS - start >= window)); then
      break
    fi
    sleep 0.2
  done
  rm -f "$DATA/superseded"
  log "restarted in place"
  start_postgres
  wait_until 60 answers || return 1
  "$PG_BIN/repmgr" -f "$REPMGR_CONF" primary register --force >&2
  forget_departed || log "could not forget instances that are gone"
}

# may_resume PEERS OVER: never while a peer knows a later timeline, whose commits this instance has not. Then either
# nobody can fail over, or the window is over (1) and a majority answers: a minority might be cut off from a new primary.
may_resume() {
  (($(latest_timeline_among "$1") <= $(own_timeline))) || return 1
  if [[ ! -e $DATA/superseded ]] && nobody_can_fail_over "$1"; then
    return 0
  fi
  (($2 == 1 && $(standbys_among "$1") >= $(peers_for_majority)))
}

# The latest timeline of which the stopped server has the history file; the first one has none.
own_timeline() {
  local latest
  latest=$(find "$PGDATA_DIR/pg_wal" -maxdepth 1 -name '????????.history' -printf '%f\n' | sort | tail -n 1)
  latest=${latest:-00000001}
  echo $((16#${latest:0:8}))
}

# All others answer, none is primary, and none has a running repmgrd (it starts only beside a primary): a power cut.
nobody_can_fail_over() {
  local idle
  idle=$(awk '$2 == "standby" && $5 == "false"' <<<"$1" | wc -l)
  ((idle == $(wc -w <<<"$PEERS") - 1))
}

# A standby without primary serves reads and waits, so that a former primary finds a majority. It has no repmgrd yet,
# since that refuses to start without a primary; true once it streams from one or has become primary itself.
start_as_orphan() {
  local primary orphan_since=$SECONDS
  log "was standby and nobody is primary: waiting as standby"
  start_postgres
  wait_until 60 answers || return 1
  while kill -0 "$POSTGRES" 2>/dev/null; do
    primary=$(primary_among "$(ask_peers)")
    if [[ -n $primary ]]; then
      adopt "$primary"
      return
    elif ((SECONDS - orphan_since >= PG_ORPHAN_TIMEOUT)) && promote_orphan; then
      return 0
    fi
    sleep 0.3
  done
  return 1
}

# Follow a primary that appeared, without a restart; false when only a rejoin from the start helps.
adopt() {
  same_cluster "$1" && follow "$1" && wait_until "$PG_STREAM_TIMEOUT" streaming
}
