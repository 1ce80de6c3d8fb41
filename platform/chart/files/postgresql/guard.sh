#!/usr/bin/env bash
# The guard of a running instance, every second: fences a primary that was replaced or is cut off, gives up a standby
# that lost its primary for good, promotes when repmgrd cannot. It ends when the instance shall start anew; sourced.

guard() {
  local state since=$SECONDS reason="" now
  trap - TERM INT
  while sleep 1; do
    local_state || continue
    state=$ANSWER
    case $state in
      "primary $(other_names | wc -l)") rm -f "$DATA/alone"; now="" ;;
      primary*) now=$(primary_worry "$state") ;;
      "standby streaming") now="" ;;
      *) now=$(standby_worry) ;;
    esac
    # The time counts from when this worry began.
    [[ $now == "$reason" ]] || since=$SECONDS reason=$now
    act_on "$reason" $((SECONDS - since)) || return 1
  done
}

# ANSWER: "primary N" (standbys that stream) or "standby streaming|alone"; false when there is none (ask again).
local_state() {
  ask "SELECT CASE WHEN pg_is_in_recovery()
    THEN 'standby ' || CASE WHEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')
      THEN 'streaming' ELSE 'alone' END
    ELSE 'primary ' || (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'
      AND application_name LIKE 'postgresql-%') END" && return
  open_session "$(conninfo_of "$INSTANCE")"
  return 1
}

primary_worry() {
  local peers
  [[ $1 == "primary 0" ]] || rm -f "$DATA/alone"
  peers=$(ask_peers)
  if replaced "$peers"; then
    echo replaced
  elif [[ -z $peers && ! -e $DATA/alone ]] && ! any_peer_reachable; then
    echo isolated
  fi
}

standby_worry() {
  if [[ -n $(primary_among "$(ask_peers)") ]]; then
    echo left-behind
  else
    echo orphaned
  fi
}

# act_on WORRY SECONDS: false when the instance shall start anew.
act_on() {
  case $1 in
    replaced) fence "another primary has a later timeline" ;;
    isolated) (($2 < PG_FENCE_TIMEOUT)) || fence "no peer was reachable for $2 s" ;;
    left-behind) (($2 < PG_STREAM_LOST_TIMEOUT)) || { log "not streaming from the primary for $2 s"; return 1; } ;;
    orphaned) (($2 < PG_ORPHAN_TIMEOUT)) || promote_orphan || true ;;
  esac
}

# Immediate: what waits for a standby must not be told that it committed.
fence() {
  log "fenced: $1"
  kill -QUIT "$POSTGRES" 2>/dev/null
  return 1
}

# Another primary has a later timeline; of two that took the same one, the first by name stays.
replaced() {
  local name timeline mine
  read -r name _ timeline _ < <(awk '$2 == "primary"' <<<"$1" | sort -k3,3nr) || return 1
  mine=$(state_of "$INSTANCE" | cut -d' ' -f2)
  [[ -n $mine ]] && ((timeline > mine || (timeline == mine && $(ordinal "$name") < $(ordinal "$INSTANCE"))))
}

ordinal() { echo "${1##*-}"; }

# Refused is reachable: the network works, only the server is down.
reachable() {
  local error
  error=$(timeout 1 "$BASH" -c "exec 3<>/dev/tcp/$(host_of "$1")/$PG_PORT" 2>&1) || [[ $error == *refused* ]]
}

any_peer_reachable() {
  local name
  for name in $(other_names); do
    reachable "$name" && return
  done
  return 1
}

# Without any primary for long: the most advanced standby of a majority (the first by name of equals) is promoted.
promote_orphan() {
  local peers first
  peers=$(ask_peers)
  [[ -z $(primary_among "$peers") ]] || return 1
  (($(standbys_among "$peers") >= $(peers_for_majority))) || return 1
  first=$({ echo "$peers"; name_and_state "$INSTANCE"; } | grep . | sort -k4,4nr -k1,1 | head -n 1 | cut -d' ' -f1)
  [[ $first == "$INSTANCE" ]] || return 1
  log "no primary anywhere for $PG_ORPHAN_TIMEOUT s: most advanced of a majority, promoting"
  "$BASH" "$FILES/promote.sh"
}
