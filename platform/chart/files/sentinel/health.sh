#!/bin/sh
# Exit 0 when this Sentinel answers and watches every master with a quorum of Sentinels that know each other.
# Environment: ADDRESS MASTERS (set-1=address ...).
set -eu
for entry in $MASTERS; do
  timeout 2 redis-cli -h "$ADDRESS" -p 26379 SENTINEL CKQUORUM "${entry%%=*}" | grep -q '^OK '
done
