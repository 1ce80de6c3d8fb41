#!/bin/sh
# Exit 0 when this Redis server answers and, as a replica, is in sync with its master.
# Environment: ADDRESS SECRETS.
set -eu
REDISCLI_AUTH=$(cat "$SECRETS/redis-password")
export REDISCLI_AUTH
info=$(timeout 2 redis-cli -h "$ADDRESS" -p 6379 INFO replication | tr -d '\r')
case $info in
*role:master*) exit 0 ;;
*role:slave*master_link_status:up*) exit 0 ;;
esac
exit 1
