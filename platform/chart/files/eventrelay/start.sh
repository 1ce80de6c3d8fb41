#!/bin/sh
# Runs one instance of the event relay, or of the consumer that comes with it.
#
# Environment: INSTANCE ADDRESS DATA SECRETS (docs/architecture.md), PROGRAM (relay or consumer), PORT (9464: metrics,
# health, status), DATABASE_HOST DATABASE_PORT (5432), REDIS_HOST REDIS_PORT (6379): an address that follows the master
# of set 1, and what else eventrelay/settings.py names (EVENTS_BATCH_SIZE EVENTS_BATCH_MS ...).
# Secrets: redis-password; zitadel-password for the relay, which reads ZITADEL's event store; chaos-password for the
# consumer, which writes into a database of its own. PYTHON (python3).
set -eu
umask 077

case ${PROGRAM:=relay} in
relay) secret=zitadel-password ;;
consumer) secret=chaos-password ;;
*) echo "start.sh: PROGRAM is relay or consumer, not $PROGRAM" >&2 && exit 2 ;;
esac
export DATABASE_PASSWORD_FILE="$SECRETS/$secret"
export REDIS_PASSWORD_FILE="$SECRETS/redis-password"
mkdir -p "$DATA"
cd "$DATA"
echo "start.sh: $INSTANCE runs the $PROGRAM"
exec "${PYTHON:-python3}" -m eventrelay "$PROGRAM"
