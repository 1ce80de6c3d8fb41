#!/usr/bin/env bash
# repmgrd's promote command: does what `repmgr standby promote` does, in one session, then checkpoints.
#
# The repmgr command logs in a dozen times, which on a busy machine took longer than detecting the failure did.
set -euo pipefail
# shellcheck source=/dev/null
source "$FILES/settings.sh"
# shellcheck source=/dev/null
source "$FILES/peers.sh"

promote() {
  psql -XAtqw -v ON_ERROR_STOP=1 -d "$(conninfo_of "$INSTANCE")" >/dev/null <<SQL
DO \$\$ BEGIN
  IF NOT pg_promote(true, 10) THEN RAISE 'not promoted within 10 s'; END IF;
END \$\$;
BEGIN;
UPDATE repmgr.nodes SET active = false WHERE type = 'primary' AND active AND node_id <> $NODE_ID;
UPDATE repmgr.nodes SET type = 'primary', upstream_node_id = NULL, active = true WHERE node_id = $NODE_ID;
COMMIT;
SQL
}

log "promoting"
promote
log "promoted"
# pg_rewind of the old primary reads the timeline of the last checkpoint, which must be the new one.
sql "$INSTANCE" "CHECKPOINT" &
