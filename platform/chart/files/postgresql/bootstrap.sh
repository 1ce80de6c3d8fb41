#!/usr/bin/env bash
# Makes a new cluster: superuser, repmgr's role and database, and the platform's own roles and databases; sourced.

create_cluster() {
  local new=$DATA/pgdata.new
  log "no data and no primary: making a new cluster"
  rm -rf "$new"
  initdb -D "$new" -U postgres --pwfile="$SECRETS/postgres-password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-instructions --no-sync >/dev/null
  # Until a standby has streamed there is nobody to ask before this instance starts as primary again.
  touch "$DATA/alone"
  mv "$new" "$PGDATA_DIR"
  start_postgres
  wait_until 30 answers
  create_roles
  "$PG_BIN/repmgr" -f "$REPMGR_CONF" primary register --force
}

# The passwords go through psql's stdin. No statement waits for a standby, since there is none yet.
create_roles() {
  {
    echo "SET synchronous_commit = local;"
    # A statement that fails would be logged with the password in it.
    echo "SET log_statement = none; SET log_min_error_statement = panic;"
    role_statements repmgr repmgr-password SUPERUSER
    role_statements zitadel zitadel-password CREATEROLE
    role_statements chaos chaos-password NOSUPERUSER
    echo "ALTER ROLE repmgr SET synchronous_commit = local;"
    echo "CREATE ROLE pgpool LOGIN PASSWORD $(quoted pgpool-password) IN ROLE pg_monitor;"
  } | psql -XqAt -v ON_ERROR_STOP=1 -d "host=$(host_of "$INSTANCE") port=$PG_PORT user=postgres dbname=postgres" >/dev/null
}

role_statements() {
  echo "CREATE ROLE $1 LOGIN $3 PASSWORD $(quoted "$2");"
  echo "CREATE DATABASE $1 OWNER $1;"
}

# A secret as an SQL literal.
quoted() {
  local value
  value=$(<"$SECRETS/$1")
  value=${value//\\/\\\\}
  echo "E'${value//\'/\'\'}'"
}
