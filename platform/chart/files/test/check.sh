#!/usr/bin/env bash
# One question on each path a client takes; exit 0 when all are answered.
# Environment: PGPOOL REDIS_MASTER EDGE (host names) SECRETS TLS.
# shellcheck disable=SC2329 # `ok` calls the functions by name
set -euo pipefail

# ok NAME COMMAND...: a line for a person, and the command's own words when it fails.
ok() {
  local said
  if said=$("${@:2}" 2>&1); then
    echo "ok      $1"
  else
    echo "FAILED  $1: $said"
    FAILED=1
  fi
}

postgresql() {
  PGPASSWORD=$(<"$SECRETS/chaos-password") PGCONNECT_TIMEOUT=5 psql -XAtq -v ON_ERROR_STOP=1 \
    "host=$PGPOOL user=chaos dbname=chaos" \
    -c "CREATE TEMP TABLE written (n int); INSERT INTO written VALUES (1);" -c "SELECT pg_is_in_recovery()" | grep -qx f
}

# The image has no redis-cli: two commands of the protocol, whose lines a shell can read.
redis_master() {
  local answer
  exec 3<>"/dev/tcp/$REDIS_MASTER/6379"
  printf 'AUTH %s\r\nPING\r\nQUIT\r\n' "$(<"$SECRETS/redis-password")" >&3
  answer=$(timeout 5 cat <&3 | tr -d '\r')
  [[ $answer == $'+OK\n+PONG\n+OK' ]] || { echo "answered: $answer" && return 1; }
}

through_edge() {
  curl -fsS --max-time 5 --cacert "$TLS/ca.crt" --connect-to "$1:443:$EDGE:443" -o /dev/null "https://$1$2"
}

FAILED=0
ok "PostgreSQL takes writes through PgPool" postgresql
ok "redis-master answers" redis_master
ok "Vault is unsealed and active" through_edge vault.blinkchamber.test /v1/sys/health
ok "identity is ready" through_edge identity.blinkchamber.test /debug/ready
ok "identity publishes its configuration" through_edge identity.blinkchamber.test /.well-known/openid-configuration
exit "$FAILED"
