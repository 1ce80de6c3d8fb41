#!/usr/bin/env bash
# Exit 0 when a client reaches the primary through this PgPool. Environment: ADDRESS SECRETS PG_BIN (optional).
set -euo pipefail
PGPASSWORD=$(<"$SECRETS/chaos-password")
export PGPASSWORD PGCONNECT_TIMEOUT=2
psql=${PG_BIN:+$PG_BIN/}psql
[[ $("$psql" -XAtq -h "$ADDRESS" -p "${PORT:-5432}" -U chaos -d chaos -c 'SELECT pg_is_in_recovery()') == f ]]
