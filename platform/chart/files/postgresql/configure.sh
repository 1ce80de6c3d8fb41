#!/usr/bin/env bash
# Writes the configuration of PostgreSQL, repmgr and their clients, anew at every start; sourced.

# A password as pgpass wants it (libpq, "The Password File": colon and backslash are escaped).
pgpass_line() {
  local password
  password=$(<"$SECRETS/$2")
  password=${password//\\/\\\\}
  echo "*:*:*:$1:${password//:/\\:}"
}

write_client_files() {
  mkdir -p "$DATA/archive"
  { pgpass_line repmgr repmgr-password; pgpass_line postgres postgres-password; } >"$PGPASSFILE.new"
  mv "$PGPASSFILE.new" "$PGPASSFILE"
  write_repmgr_conf
}

write_repmgr_conf() {
  cat >"$REPMGR_CONF" <<CONF
node_id=$NODE_ID
node_name='$INSTANCE'
conninfo='$(conninfo_of "$INSTANCE")'
data_directory='$PGDATA_DIR'
pg_bindir='$PG_BIN'
passfile='$PGPASSFILE'
config_directory='$PGDATA_DIR'
use_replication_slots=yes
failover=automatic
promote_command='$BASH $FILES/promote.sh'
follow_command='$BASH $FILES/follow.sh %n'
monitor_interval_secs=$REPMGR_MONITOR_INTERVAL
reconnect_attempts=$REPMGR_RECONNECT_ATTEMPTS
reconnect_interval=$REPMGR_RECONNECT_INTERVAL
# query would hang on a frozen primary and never fail over
connection_check_type=ping
primary_visibility_consensus=true
promote_check_timeout=10
promote_check_interval=1
primary_notification_timeout=10
election_rerun_interval=1
node_rejoin_timeout=30
standby_reconnect_timeout=30
repmgrd_standby_startup_timeout=30
log_level=INFO
CONF
}

# "ANY 1 (...)" by name: "*" would also count an archiver or a backup as a standby.
synchronous_standby_names() {
  local peer names=""
  for peer in $PEERS; do
    names+="${names:+, }\"${peer%%=*}\""
  done
  echo "ANY 1 ($names)"
}

write_server_conf() {
  cat >"$PGDATA_DIR/postgresql.conf" <<CONF
listen_addresses = '$PG_LISTEN'
port = $PG_PORT
unix_socket_directories = ''
max_connections = $PG_MAX_CONNECTIONS
shared_buffers = '$PG_SHARED_BUFFERS'
shared_preload_libraries = 'repmgr'
password_encryption = '$PG_AUTHENTICATION'
authentication_timeout = 5s
wal_level = replica
wal_log_hints = on
hot_standby = on
max_wal_senders = 10
max_replication_slots = 10
max_wal_size = '$PG_MAX_WAL_SIZE'
wal_keep_size = '$PG_WAL_KEEP_SIZE'
max_slot_wal_keep_size = '$PG_MAX_SLOT_WAL_KEEP_SIZE'
wal_sender_timeout = '$PG_WAL_SENDER_TIMEOUT'
wal_receiver_timeout = '$PG_WAL_RECEIVER_TIMEOUT'
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 500ms
synchronous_commit = $PG_SYNCHRONOUS_COMMIT
synchronous_standby_names = '$(synchronous_standby_names)'
tcp_keepalives_idle = 2
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
tcp_user_timeout = 5000
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
CONF
  cat >"$PGDATA_DIR/pg_hba.conf" <<CONF
host all         all    127.0.0.1/32     $PG_AUTHENTICATION
host all         all    samehost         $PG_AUTHENTICATION
host all         all    $ALLOWED_NETWORK $PG_AUTHENTICATION
host replication repmgr samehost         $PG_AUTHENTICATION
host replication repmgr $ALLOWED_NETWORK $PG_AUTHENTICATION
CONF
}

# write_upstream NAME: stand by for this primary. Earlier values (the source's own, after a copy) are dropped.
write_upstream() {
  local conf=$PGDATA_DIR/postgresql.auto.conf
  touch "$conf"
  sed -i '/^primary_conninfo\|^primary_slot_name/d' "$conf"
  {
    echo "primary_conninfo = '$(conninfo_of "$1") application_name=$INSTANCE passfile=$PGPASSFILE'"
    echo "primary_slot_name = '$SLOT'"
  } >>"$conf"
  touch "$PGDATA_DIR/standby.signal"
}
