#!/usr/bin/env bash
# Exit 0 when the instance is ready: it accepts connections and, as a standby, streams.
set -euo pipefail
[[ $EUID != 0 || ! -d $DATA/files ]] || FILES=$DATA/files
# shellcheck source=/dev/null
source "$FILES/settings.sh"
# shellcheck source=/dev/null
source "$FILES/peers.sh"

[[ $(sql "$INSTANCE" "SELECT NOT pg_is_in_recovery()
  OR EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')") == t ]]
