#!/usr/bin/env bash
# repmgrd's follow command, `follow.sh NODE_ID`: stream from this primary from now on, without a restart.
set -euo pipefail
for part in settings peers configure rejoin; do
  # shellcheck source=/dev/null
  source "$FILES/$part.sh"
done

primary=${INSTANCE%-*}-$(($1 - 1))
log "following $primary"
follow "$primary"
