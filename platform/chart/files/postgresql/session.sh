#!/usr/bin/env bash
# One psql that stays connected and answers many questions, since a login costs far more than a question; sourced.
# shellcheck disable=SC2034  # ANSWER is read by the scripts that source this one

SESSION=() SESSION_PID=""

# open_session CONNINFO
open_session() {
  close_session
  # A write to a session that ended is an error to handle, not the end of this shell.
  trap '' PIPE
  coproc SESSION { exec psql -XAtqw -d "$1" 2>/dev/null; }
}

close_session() {
  [[ -z ${SESSION_PID:-} ]] || kill "$SESSION_PID" 2>/dev/null || true
  [[ -z ${SESSION_PID:-} ]] || wait "$SESSION_PID" 2>/dev/null || true
}

# ask STATEMENT: its one line in ANSWER; false when there is none within 3 seconds.
ask() {
  ANSWER=""
  [[ -n ${SESSION_PID:-} ]] || return 1
  { echo "$1;" >&"${SESSION[1]}"; } 2>/dev/null || return 1
  read -r -t 3 -u "${SESSION[0]}" ANSWER
}
