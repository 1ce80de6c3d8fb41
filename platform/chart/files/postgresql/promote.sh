#!/usr/bin/env bash
# repmgrd's promote command: does what `repmgr standby promote` does, then checkpoints.
#
# The repmgr command logs in a dozen times, which on a busy machine took longer than detecting the failure did, and one
# login that took too long ended it without a primary. pg_ctl needs no login, and the record of it is tried again.
set -euo pipefail
# shellcheck source=/dev/null
source "$FILES/settings.sh"
# shellcheck source=/dev/null
source "$FILES/peers.sh"

record_promotion() {
  sql "$INSTANCE" "BEGIN;
    UPDATE repmgr.nodes SET active = false WHERE type = 'primary' AND active AND node_id <> $NODE_ID;
    UPDATE repmgr.nodes SET type = 'primary', upstream_node_id = NULL, active = true WHERE node_id = $NODE_ID;
    COMMIT"
}

log "promoting"
pg_ctl promote -D "$PGDATA_DIR" -w -t 10 >/dev/null
log "promoted"
wait_until 20 record_promotion
# pg_rewind of the old primary reads the timeline of the last checkpoint, which must be the new one.
# repmgrd reads this output to its end and tells the other standbys only then.
{ sql "$INSTANCE" "CHECKPOINT" && forget_departed; } </dev/null >/dev/null 2>&1 &
