#!/bin/sh
# Runs one Sentinel: writes $DATA/sentinel.conf at the first start and becomes the server.
#
# Environment: INSTANCE ADDRESS PEERS DATA SECRETS FILES (docs/architecture.md), RUN_AS, MASTERS (set-1=address ...:
# who is master at the very first start), REDIS_SERVER (redis-server), EXTRA_BIND, SENTINEL_QUORUM (2),
# SENTINEL_DOWN_AFTER_MS (2000), SENTINEL_FAILOVER_TIMEOUT_MS (3000), SENTINEL_HOSTNAMES (no; yes where addresses in
# MASTERS are names).
#
# failover-timeout: a Sentinel that voted, or lost an election, tries again after twice this. Less than half of what a
# failover may take (votes 1 s, start spread 1 s, INFO 1 s, hello 2 s: 5 s) and a second Sentinel starts a second
# failover while the first is under way; more, and a split vote costs that much more. Hence 3 s.
# down-after: 1 s was measured to fail over a second time on a loaded machine; 2 s leaves two lost pings.
set -eu

if [ "$(id -u)" = 0 ] && [ "${RUN_AS:-root}" != root ]; then
  mkdir -p "$DATA"
  chown -R "$RUN_AS" "$DATA"
  exec setpriv --reuid "$RUN_AS" --regid "$(id -g "$RUN_AS")" --init-groups "$0" "$@"
fi

CONF="$DATA/sentinel.conf"

self() {
  for peer in $PEERS; do
    [ "${peer%%=*}" = "$INSTANCE" ] && echo "${peer#*=}" && return
  done
  echo "start.sh: PEERS does not name $INSTANCE" >&2
  exit 1
}

master() {
  cat <<CONF
sentinel monitor $1 $2 6379 ${SENTINEL_QUORUM:-2}
sentinel auth-pass $1 $PASSWORD
sentinel down-after-milliseconds $1 ${SENTINEL_DOWN_AFTER_MS:-2000}
sentinel failover-timeout $1 ${SENTINEL_FAILOVER_TIMEOUT_MS:-3000}
sentinel parallel-syncs $1 1
CONF
}

render() {
  cat "$FILES/sentinel.conf"
  cat <<CONF
dir $DATA
bind $ADDRESS ${EXTRA_BIND:-}
bind-source-addr $ADDRESS
sentinel announce-ip $SELF
sentinel announce-port 26379
sentinel resolve-hostnames ${SENTINEL_HOSTNAMES:-no}
sentinel announce-hostnames ${SENTINEL_HOSTNAMES:-no}
CONF
  for entry in $MASTERS; do
    master "${entry%%=*}" "${entry#*=}"
  done
}

# What a Redis server says of its replicas. The password goes through stdin: neither environment nor arguments hold it.
replication() {
  printf 'AUTH "%s"\nINFO replication\n' "$PASSWORD" | timeout 1 redis-cli -h "$1" 2>/dev/null
}

# Sentinel learns of replicas from INFO, asked at once and then every 10 s: one that starts before the replica has
# attached would know none, and could promote none, for 10 s. Waits 5 s for it and then starts all the same.
wait_for_replicas() {
  tries=0
  for entry in $MASTERS; do
    until replication "${entry#*=}" | grep -q '^slave0:.*state=online'; do
      tries=$((tries + 1))
      [ "$tries" -lt 25 ] || return 0
      sleep 0.2
    done
  done
}

watched() {
  grep -q "^sentinel monitor $1 " "$CONF"
}

# The sets may have become more or fewer since: add and forget them as MASTERS has it, all others stay as Sentinel left
# them.
adjust_masters() {
  known=$(sed -n 's/^sentinel monitor \([^ ]*\) .*/\1/p' "$CONF")
  for set in $known; do
    case " $MASTERS" in *" $set="*) ;; *) sed -i "/^sentinel [a-z-]* $set /d" "$CONF" ;; esac
  done
  for entry in $MASTERS; do
    watched "${entry%%=*}" || master "${entry%%=*}" "${entry#*=}" >>"$CONF"
  done
}

umask 077
mkdir -p "$DATA"
SELF=$(self)
PASSWORD=$(cat "$SECRETS/redis-password")
if [ -s "$CONF" ]; then
  echo "start.sh: $INSTANCE keeps its configuration"
  adjust_masters
  sed -i "s/^bind .*/bind $ADDRESS ${EXTRA_BIND:-}/; s/^bind-source-addr .*/bind-source-addr $ADDRESS/" "$CONF"
else
  echo "start.sh: $INSTANCE watches $MASTERS"
  render >"$CONF.new"
  mv "$CONF.new" "$CONF"
  wait_for_replicas
fi
exec "${REDIS_SERVER:-redis-server}" "$CONF" --sentinel
