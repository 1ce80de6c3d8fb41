#!/bin/sh
# Exit 0 when this Redis server answers and, as a replica, is in sync with its master.
# Environment: ADDRESS SECRETS.
set -eu

# The password goes through stdin: neither the environment of a process nor its arguments hold it.
info=$({
  printf 'AUTH "%s"\n' "$(cat "$SECRETS/redis-password")"
  echo INFO replication
} | timeout 2 redis-cli -h "$ADDRESS" -p 6379 | tr -d '\r')
case $info in
*role:master*) exit 0 ;;
*role:slave*master_link_status:up*) exit 0 ;;
esac
exit 1
