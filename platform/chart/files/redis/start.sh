#!/bin/sh
# Runs one Redis server: asks the Sentinels which role it has, renders $DATA/redis.conf and becomes the server.
#
# Environment: INSTANCE ADDRESS PEERS DATA SECRETS FILES (docs/architecture.md; PEERS: those of this set, masters first),
# RUN_AS, SET (1..3), or SETS, how many sets PEERS holds (pods of one kind share one environment: SET then follows from
# the number in the name), SENTINELS (name=address ...), INITIAL_ROLE (master or replica), REDIS_SERVER (redis-server),
# REDIS_MAXMEMORY (64mb), EXTRA_BIND (more addresses to listen on, 127.0.0.1 in a pod),
# REDIS_APPENDFSYNC (everysec): a killed process loses nothing either way, since the kernel has the bytes; a power cut
# loses up to a second of this copy. The promise rests on the second copy, so everysec is the default; always costs
# one disk flush for every round of the event loop.
set -eu

if [ "$(id -u)" = 0 ] && [ "${RUN_AS:-root}" != root ]; then
  mkdir -p "$DATA"
  chown -R "$RUN_AS" "$DATA"
  exec setpriv --reuid "$RUN_AS" --regid "$(id -g "$RUN_AS")" --init-groups "$0" "$@"
fi

CONF="$DATA/redis.conf"

say() {
  echo "start.sh: $INSTANCE $*"
}

fail() {
  echo "start.sh: $INSTANCE $*" >&2
  exit 1
}

set_of() {
  echo $((${1##*-} % SETS + 1))
}

# Of all servers in PEERS, those of this set.
peers_of_set() {
  for peer in $PEERS; do
    if [ "$(set_of "${peer%%=*}")" = "$SET" ]; then printf '%s ' "$peer"; fi
  done
}

# The address this server is announced by (a DNS name on Kubernetes) and the address of the first other one of the set.
self() {
  for peer in $PEERS; do
    [ "${peer%%=*}" = "$INSTANCE" ] && echo "${peer#*=}" && return
  done
  fail "is not named in PEERS"
}

other() {
  for peer in $PEERS; do
    [ "${peer%%=*}" != "$INSTANCE" ] && echo "${peer#*=}" && return
  done
}

# The newest view among the Sentinels that answer, on one line: "config-epoch leader down-after-ms failover-timeout-ms
# replicas flags". A finished failover carries a higher configuration epoch than what it replaces. Prints nothing when
# none answers.
newest_view() {
  for sentinel in $SENTINELS; do
    timeout 1 redis-cli -h "${sentinel#*=}" -p 26379 SENTINEL MASTER "set-$SET" 2>/dev/null || true
    echo end
  done | awk '
    $0 == "end" && ("ip" in value) && (newest == "" || value["config-epoch"] + 0 > epoch) {
      epoch = value["config-epoch"] + 0
      newest = epoch " " value["ip"] " " value["down-after-milliseconds"] " " value["failover-timeout"] " " \
        value["num-slaves"] " " value["flags"]
    }
    $0 == "end" { delete value; key = ""; next }
    key == "" { key = $0; next }
    { value[key] = $0; key = "" }
    END { if (newest != "") print newest }'
}

# How long the Sentinels may need to replace a dead master, in ms: they notice after down-after plus one ping (1 s),
# agree within one round of questions (1 s), elect (1 s), see the promotion in the next INFO (1 s) and tell each other
# with the next hello (2 s). Periods are sentinel.c's: PING 1 s, ASK 1 s, INFO 1 s while failing over, PUBLISH 2 s.
failover_window() {
  echo $(($1 + 6000))
}

now_ms() {
  awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# A supervisor restarts a dead master before the Sentinels have noticed, and they still name it. Coming back at once
# could race with their failover: wait until they name another, or until the window has passed and none of them is
# in the middle of a failover. Prints the newest view.
wait_for_failover() {
  view=$1
  # shellcheck disable=SC2086 # the view's fields
  set -- $view
  deadline=$(($(now_ms) + $(failover_window "$3")))
  while [ "$2" = "$SELF" ]; do
    case $6 in *failover_in_progress*) busy=yes ;; *) busy=no ;; esac
    [ "$busy" = no ] && [ "$(now_ms)" -ge "$deadline" ] && break
    sleep 0.2
    newer=$(newest_view)
    [ -n "$newer" ] && view=$newer
    # shellcheck disable=SC2086
    set -- $view
  done
  echo "$view"
}

# The last role, kept by Sentinel in the configuration it rewrites; nothing is printed for a master.
last_leader() {
  sed -n 's/^replicaof "\{0,1\}\([^" ]*\)"\{0,1\} .*/\1/p' "$CONF" | tail -n 1
}

# First start: nothing of an earlier life is here. The Sentinels then only know their own first configuration.
decide_first() {
  view=$1
  # shellcheck disable=SC2086
  set -- $view
  if [ -n "${2:-}" ] && [ "$2" != "$SELF" ]; then
    LEADER=$2
    say "starts as replica of $LEADER: the Sentinels name it (first start here)"
  elif [ "${5:-0}" -gt 0 ]; then
    # An empty master would be copied by its replica: let the Sentinels promote the replica first.
    view=$(wait_for_failover "$view")
    # shellcheck disable=SC2086
    set -- $view
    [ "$2" != "$SELF" ] || fail "has no data, and the Sentinels still name it master of replicas that may have some"
    LEADER=$2
    say "starts as replica of $LEADER: it came back without its data"
  elif [ "$INITIAL_ROLE" = replica ]; then
    LEADER=$(other)
    say "starts as replica of $LEADER: first start, initial role"
  else
    say "starts as master: first start, initial role"
  fi
}

# A later start: the Sentinels decide; without them the last role does, once they had time to start as well.
decide_again() {
  tries=0
  view=$(newest_view)
  while [ -z "$view" ] && [ "$tries" -lt 25 ]; do
    tries=$((tries + 1))
    sleep 0.2
    view=$(newest_view)
  done
  if [ -z "$view" ]; then
    LEADER=$(last_leader)
    say "starts as ${LEADER:+replica of }${LEADER:-master}: no Sentinel answers, last role"
    return
  fi
  began=$(now_ms)
  view=$(wait_for_failover "$view")
  # shellcheck disable=SC2086
  set -- $view
  if [ "$2" = "$SELF" ]; then
    say "starts in place as master: no failover within $(failover_window "$3") ms"
  else
    LEADER=$2
    say "starts as replica of $LEADER: the Sentinels name it (waited $(($(now_ms) - began)) ms)"
  fi
}

render() {
  password=$(cat "$SECRETS/redis-password")
  [ -n "$password" ] || fail "finds $SECRETS/redis-password empty"
  cat <<CONF
include $FILES/redis.conf
dir $DATA
bind $ADDRESS ${EXTRA_BIND:-}
bind-source-addr $ADDRESS
replica-announce-ip $SELF
replica-announce-port 6379
appendfsync ${REDIS_APPENDFSYNC:-everysec}
maxmemory ${REDIS_MAXMEMORY:-64mb}
requirepass "$password"
masterauth "$password"
${LEADER:+replicaof $LEADER 6379}
CONF
}

umask 077
mkdir -p "$DATA"
if [ -n "${SETS:-}" ]; then
  SET=$(set_of "$INSTANCE")
  PEERS=$(peers_of_set)
fi
SELF=$(self)
LEADER=
if [ -e "$CONF" ]; then
  decide_again
else
  decide_first "$(newest_view)"
fi
render >"$CONF.new"
mv "$CONF.new" "$CONF"
exec "${REDIS_SERVER:-redis-server}" "$CONF"
