#!/usr/bin/env bash
# Writes PgPool's configuration and password files, anew at every start; sourced.

write_configuration() {
  rm -rf "$DATA/run"
  mkdir -p "$DATA/run"
  write_passwords
  write_pool_hba
  { write_server_conf; write_failover_conf; write_backends; } >"$DATA/pgpool.conf"
}

# PgPool logs in to PostgreSQL in its clients' names, so it needs their passwords as text; the files are 0600.
write_passwords() {
  local user
  for user in postgres zitadel chaos pgpool; do
    # PgPool 4.3 then refuses the user with a message about the backend.
    if [[ $(<"$SECRETS/$user-password") == *[:\'\\]* ]]; then
      log "the password of $user has a colon, quote or backslash, which PgPool's password file cannot hold"
      exit 1
    fi
    echo "$user:TEXT$(<"$SECRETS/$user-password")"
  done >"$DATA/pool_passwd"
  echo "pgpool:$(md5sum < <(printf %s "$(<"$SECRETS/pgpool-password")") | cut -d' ' -f1)" >"$DATA/pcp.conf"
  pass_line "$ADDRESS:$PGPOOL_PCP_PORT:pgpool" >"$PCPPASSFILE"
  pass_line "*:*:*:pgpool" >"$PGPASSFILE"
}

# A line as libpq's password file wants it: colon and backslash are escaped.
pass_line() {
  local password
  password=$(<"$SECRETS/pgpool-password")
  password=${password//\\/\\\\}
  echo "$1:${password//:/\\:}"
}

# PgPool knows no "samenet", so that default becomes every address; PostgreSQL's own rules hold behind it.
write_pool_hba() {
  local network=$ALLOWED_NETWORK
  [[ $network != samenet ]] || network=0.0.0.0/0
  echo "host all all $network $PG_AUTHENTICATION" >"$DATA/pool_hba.conf"
}

write_server_conf() {
  cat <<CONF
backend_clustering_mode = 'streaming_replication'
listen_addresses = '$PGPOOL_LISTEN'
port = $PGPOOL_PORT
socket_dir = '$DATA/run'
pcp_listen_addresses = '$ADDRESS'
pcp_port = $PGPOOL_PCP_PORT
pcp_socket_dir = '$DATA/run'
pid_file_name = '$DATA/run/pgpool.pid'
logdir = '$DATA/run'
enable_pool_hba = on
pool_passwd = '$DATA/pool_passwd'
authentication_timeout = 5s
num_init_children = $PGPOOL_CHILDREN
# The suite's user and identity's: with room for one, each new client of the other user would log in anew.
max_pool = 2
connection_cache = $PGPOOL_CONNECTION_CACHE
child_life_time = 0
# Without it a new client wakes up every child.
serialize_accept = on
# PgPool looks up what a query touches only to decide where it may go; here everything goes to the primary.
check_temp_table = none
check_unlogged_table = off
client_idle_limit = 0
connect_timeout = 2000
load_balance_mode = off
memory_cache_enabled = off
use_watchdog = off
CONF
}

write_failover_conf() {
  cat <<CONF
# Follow and do not decide: a backend that is down is only left out (a backend that may not fail over is never left).
failover_command = ''
# Leave a backend out at the first refused connection: until then no new client gets through at all.
failover_on_backend_error = on
failover_on_backend_shutdown = on
# The follower attaches backends again, at a moment that does not lengthen an outage.
auto_failback = off
# PgPool searches among the backends it has up and hears no command meanwhile, so the search is short; the follower
# names a primary that comes later.
search_primary_node_timeout = $PGPOOL_SEARCH_PRIMARY_TIMEOUT
detach_false_primary = off
sr_check_period = $PGPOOL_SR_CHECK_PERIOD
sr_check_user = 'pgpool'
sr_check_database = 'postgres'
health_check_period = $PGPOOL_HEALTH_CHECK_PERIOD
health_check_timeout = $PGPOOL_HEALTH_CHECK_TIMEOUT
health_check_user = 'pgpool'
health_check_database = 'postgres'
health_check_max_retries = $PGPOOL_HEALTH_CHECK_RETRIES
health_check_retry_delay = 1
log_destination = 'stderr'
log_line_prefix = '%t [%p] '
CONF
}

write_backends() {
  local backend number=0
  for backend in $BACKENDS; do
    cat <<CONF
backend_hostname$number = '${backend#*=}'
backend_port$number = $PGPOOL_BACKEND_PORT
backend_weight$number = 1
backend_flag$number = 'ALLOW_TO_FAILOVER'
backend_application_name$number = '${backend%%=*}'
CONF
    number=$((number + 1))
  done
}
