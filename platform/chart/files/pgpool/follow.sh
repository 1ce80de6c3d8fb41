#!/usr/bin/env bash
# The follower: corrects PgPool where it has the primary wrong, and takes standbys back that stream again; sourced.
#
# PgPool looks for a primary only after it noticed a failure, among the backends it has up, and only for a while. It
# would miss one that came and went between two health checks, and once all backends were down at the same time it
# never takes one back by itself.

# LEFT_OUT: number of the backend that was frozen when PgPool was last started anew.
LAST_PRIMARY="" NO_ATTACH_BEFORE=0 HEARD=0 LEFT_OUT=""

follow() {
  local known="" real checked=0 pause=1 wrong_since=""
  trap - TERM INT
  while sleep "$PGPOOL_FOLLOW_INTERVAL"; do
    if [[ -n $known ]] && ask "SELECT pg_is_in_recovery()" && [[ $ANSWER == f ]]; then
      real=$known
    else
      real=$(real_primary)
      [[ -z $real ]] || open_session "$(conninfo_of "$real")"
    fi
    note_primary "$real"
    if [[ -z $real ]] && primary_is_frozen; then
      start_anew "backend $LAST_PRIMARY, the primary, has been frozen for $((SECONDS - HEARD)) s" "$LAST_PRIMARY"
      return 1
    fi
    [[ -n $real && $real == "$known" ]] || wrong_since=""
    # Standbys wait while a primary is sought: asking for them logs in to every backend, the dead one included.
    if [[ -n $real ]] && { [[ $real != "$known" ]] || ((SECONDS - checked >= pause)); }; then
      pause=1
      if correct_primary "$real"; then
        wrong_since=""
        correct_standbys "$real" && pause=5
      else
        wrong_since=${wrong_since:-$SECONDS}
        if ((SECONDS - wrong_since >= PGPOOL_STUCK_TIMEOUT)); then
          start_anew "PgPool has not taken the primary for $PGPOOL_STUCK_TIMEOUT s"
          return 1
        fi
      fi
      checked=$SECONDS
    fi
    known=$real
  done
}

# start_anew WHY [NUMBER]: leave a note for the next start, with the number of a backend that is frozen.
start_anew() {
  log "$1: starting PgPool anew without the servers that do not answer"
  echo "${2:-}" >"$DATA/stuck"
}

note_primary() {
  [[ -n $1 ]] || return 0
  HEARD=$SECONDS
  [[ $1 != "$LAST_PRIMARY" ]] || return 0
  [[ -z $LAST_PRIMARY ]] || NO_ATTACH_BEFORE=$((SECONDS + PGPOOL_ATTACH_DELAY))
  LAST_PRIMARY=$1
}

# A frozen primary accepts connections and never answers. PgPool's parent waits for it without end, also when it was told
# to leave that backend out; started anew without it, it does not. A primary that is gone refuses or takes no connection
# at all, which PgPool notices by itself.
primary_is_frozen() {
  local backends isready=0
  [[ -n $LAST_PRIMARY ]] && ((SECONDS - HEARD >= PGPOOL_SILENT_TIMEOUT)) || return 1
  read -ra backends <<<"${BACKENDS:?}"
  accepts "${backends[LAST_PRIMARY]}" || return 1
  pg_isready -q -h "${backends[LAST_PRIMARY]#*=}" -p "$PGPOOL_BACKEND_PORT" -t 1 || isready=$?
  ((isready == 2)) # no answer
}

# shellcheck disable=SC2016  # the inner shell's own arguments
accepts() { timeout 1 bash -c ': <"/dev/tcp/$1/$2"' - "${1#*=}" "$PGPOOL_BACKEND_PORT" 2>/dev/null; }

conninfo_of() {
  local backends
  read -ra backends <<<"${BACKENDS:?}"
  echo "host=${backends[$1]#*=} port=$PGPOOL_BACKEND_PORT user=pgpool dbname=postgres connect_timeout=2 $KEEPALIVES"
}

# Number of the backend that is primary, of the latest timeline when (wrongly) two are; empty when none is.
real_primary() {
  local number
  for number in $(seq 0 $(($(wc -w <<<"$BACKENDS") - 1))); do
    timeline_if_primary "$number" &
  done | sort -n | tail -n 1 | cut -d' ' -f2
}

timeline_if_primary() {
  local timeline patience=3
  [[ $1 != "$LEFT_OUT" ]] || patience=1 # the others' answers wait for this one
  timeline=$(timeout "$patience" psql -XAtqw -d "$(conninfo_of "$1")" -c "SELECT CASE WHEN pg_is_in_recovery() THEN ''
    ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END" 2>/dev/null) || return 0
  [[ -z $timeline ]] || echo "$((16#$timeline)) $1"
}

# Until there is a primary, and for a short while until all others answer too.
wait_for_backends() {
  local deadline primary
  [[ ! -e $DATA/stuck ]] || LEFT_OUT=$(<"$DATA/stuck")
  until primary=$(real_primary) && [[ -n $primary ]]; do
    sleep 0.2
  done
  [[ $primary != "$LEFT_OUT" ]] || LEFT_OUT="" # it thawed before another was promoted
  deadline=$((SECONDS + PGPOOL_START_GRACE))
  [[ ! -e $DATA/stuck ]] || deadline=0
  rm -f "$DATA/stuck"
  until all_answer || ((SECONDS >= deadline)); do
    sleep 0.2
  done
}

backend_answers() { pg_isready -q -h "${1#*=}" -p "$PGPOOL_BACKEND_PORT" -t 1; }

all_answer() {
  local backend
  for backend in $BACKENDS; do
    backend_answers "$backend" || return 1
  done
}

# PgPool's own file of who was up when it ended, one word a backend: it does not speak to one that is down there. The
# follower takes it back once it streams.
write_status() {
  local backend number=0
  for backend in $BACKENDS; do
    if [[ $number != "$LEFT_OUT" ]] && backend_answers "$backend"; then echo up; else echo down; fi
    number=$((number + 1))
  done >"$DATA/run/pgpool_status"
}

pcp() {
  local command=$1
  shift
  timeout 5 "$command" -h "$ADDRESS" -p "$PGPOOL_PCP_PORT" -U pgpool -w "$@"
}

# correct_primary NUMBER: make PgPool use this backend as its primary; false while it does not yet.
# Fields of an answer: host port status weight status-name its-status role its-role delay replication-state ...
correct_primary() {
  local status role
  read -r _ _ _ _ status _ role _ < <(pcp pcp_node_info -n "$1" 2>/dev/null) || return 1
  [[ $status == down || $role != primary ]] || return 0
  if [[ $status == down ]]; then
    log "backend $1 is primary and PgPool has it down: attaching"
    pcp pcp_attach_node -n "$1" >/dev/null || true
  else
    log "backend $1 is primary and PgPool takes another for it: correcting"
    pcp pcp_promote_node -n "$1" >/dev/null || true
  fi
  return 1
}

# correct_standbys NUMBER: take back all others than this primary that stream; false while one is down.
correct_standbys() {
  local nodes number=0 settled=0 status real_role stream
  nodes=$(pcp pcp_node_info -a 2>/dev/null) || return 1
  (($(wc -l <<<"$nodes") == $(wc -w <<<"$BACKENDS"))) || return 1
  while read -r _ _ _ _ status _ _ real_role _ stream _; do
    if ((number != $1)) && [[ $status == down ]]; then
      settled=1
      [[ $real_role != standby || $stream != streaming ]] || attach_standby "$number"
    fi
    number=$((number + 1))
  done <<<"$nodes"
  return "$settled"
}

attach_standby() {
  ((SECONDS >= NO_ATTACH_BEFORE)) || return 0
  [[ $1 != "$LEFT_OUT" ]] || LEFT_OUT=""
  log "backend $1 streams again: attaching"
  pcp pcp_attach_node -n "$1" >/dev/null || true
}
