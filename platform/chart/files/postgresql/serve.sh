#!/usr/bin/env bash
# Starts, watches and stops the processes of the instance; sourced.

POSTGRES="" REPMGRD="" GUARD=""

answers() { pg_isready -q -h "$(host_of "$INSTANCE")" -p "$PG_PORT" -t 2; }

start_postgres() {
  write_server_conf
  remove_stale_pid_file
  postgres -D "$PGDATA_DIR" &
  POSTGRES=$!
}

# After SIGKILL the pid in the file may by now be that of another server's process, which PostgreSQL takes for its own.
remove_stale_pid_file() {
  local pid
  [[ -f $PGDATA_DIR/postmaster.pid ]] || return 0
  pid=$(head -n 1 "$PGDATA_DIR/postmaster.pid")
  [[ $(readlink "/proc/$pid/cwd") == "$PGDATA_DIR" ]] || rm -f "$PGDATA_DIR/postmaster.pid"
}

# stop_postgres [SIGNAL]: INT is a fast shutdown, QUIT an immediate one.
stop_postgres() {
  [[ -n $POSTGRES ]] || return 0
  kill -"${1:-INT}" "$POSTGRES" 2>/dev/null || true
  wait "$POSTGRES" 2>/dev/null || true
  POSTGRES=""
}

stop_all() {
  trap '' TERM INT
  [[ -z $GUARD ]] || kill "$GUARD" 2>/dev/null || true
  [[ -z $REPMGRD ]] || kill "$REPMGRD" 2>/dev/null || true
  stop_postgres INT
  log "stopped"
  exit "${1:-0}"
}

start_repmgrd() {
  "$PG_BIN/repmgrd" -f "$REPMGR_CONF" --daemonize=false --no-pid-file &
  REPMGRD=$!
}

# Run until postgres or the guard ends, then end the others: the supervisor starts the whole anew. repmgrd alone ends
# when a login takes too long at its start, which is no reason to take the server down.
serve() {
  # initdb, pg_basebackup and pg_rewind run with --no-sync: their files reach the disk here, while clients are served.
  sync -f "$PGDATA_DIR" &
  guard &
  GUARD=$!
  start_repmgrd
  log "serving"
  while kill -0 "$POSTGRES" 2>/dev/null && kill -0 "$GUARD" 2>/dev/null; do
    if ! kill -0 "$REPMGRD" 2>/dev/null; then
      log "repmgrd ended: starting it again"
      sleep 1
      start_repmgrd
    fi
    wait -n "$POSTGRES" "$REPMGRD" "$GUARD" || true
  done
  log "postgres or the guard ended"
  stop_all 1
}
