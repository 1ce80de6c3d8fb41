#!/usr/bin/env bash
# One PostgreSQL instance: postgres, repmgrd and the guard under one main process that ends when any of them ends.
#
# Environment: INSTANCE ADDRESS PEERS DATA SECRETS FILES (docs/architecture.md); settings with defaults: settings.sh.
set -euo pipefail

RUN_AS=${RUN_AS:-postgres}

# As root: put files and secrets where the server's user can read them, then become that user (no fork).
drop_privileges() {
  local secret
  install -d -o "$RUN_AS" -m 0700 "$DATA" "$DATA/files" "$DATA/secrets"
  install -o "$RUN_AS" -m 0700 "$FILES"/*.sh "$DATA/files"
  for secret in postgres-password repmgr-password zitadel-password chaos-password pgpool-password; do
    install -o "$RUN_AS" -m 0600 "$SECRETS/$secret" "$DATA/secrets"
  done
  cd "$DATA"
  exec setpriv --reuid="$RUN_AS" --regid="$(id -g "$RUN_AS")" --init-groups \
    env HOME="$DATA" FILES="$DATA/files" SECRETS="$DATA/secrets" "$BASH" "$DATA/files/start.sh"
}

if [[ $EUID == 0 ]]; then
  drop_privileges
fi
umask 0077
mkdir -p "$DATA"
cd "$DATA"
for part in settings peers session configure bootstrap rejoin guard serve role; do
  # shellcheck source=/dev/null
  source "$FILES/$part.sh"
done

trap stop_all TERM INT
write_client_files
decide_and_start
serve
