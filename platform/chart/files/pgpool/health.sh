#!/usr/bin/env bash
# Exit 0 when a client reaches the primary through this PgPool. Environment: ADDRESS DATA PG_BIN (optional).
set -euo pipefail
# Written by start.sh (0600): a password in a file stands in no process's environment.
export PGPASSFILE=$DATA/pgpass PGCONNECT_TIMEOUT=2
psql=${PG_BIN:+$PG_BIN/}psql
[[ $("$psql" -XAtqw -h "$ADDRESS" -p "${PORT:-5432}" -U pgpool -d postgres -c 'SELECT pg_is_in_recovery()') == f ]]
