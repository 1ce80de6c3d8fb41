# Progress lines with elapsed times, and steps that are done once for each content of what they depend on.
# shellcheck shell=bash
# Sourced; sets errexit and the cache directory for whoever sources it.
set -o errexit -o nounset -o pipefail

KIND_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${CHAOSBLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chaosblink/kind}
# shellcheck source=platform/kind/versions.env
source "$KIND_DIR/versions.env"
export CACHE PATH="$CACHE/bin:$PATH"
mkdir -p "$CACHE"/{bin,logs,steps}

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

# One line and exit code 2: it cannot be done as asked, and the message says the next step.
refuse() {
  printf '%s\n' "$*" >&2
  exit 2
}

need_programs() {
  local missing=() program
  for program in "$@"; do command -v "$program" >/dev/null || missing+=("$program"); done
  ((${#missing[@]} == 0)) ||
    refuse "not installed: ${missing[*]} (Debian packages: platform/kind/packages.txt; Go: 1.24 or later)"
}

# timed NAME COMMAND...: runs it with its output in a log, says how long it took; a failure shows the log's end.
timed() {
  local name=$1 begin=$SECONDS log status
  shift
  log="$CACHE/logs/${name//[ \/]/-}.log"
  say "$name ..."
  # As part of a condition a function would go on after a command of it that failed.
  set +o errexit
  (set -o errexit && "$@") >"$log" 2>&1
  status=$?
  set -o errexit
  if ((status)); then
    tail -n 20 "$log" >&2
    say "$name: failed after $((SECONDS - begin)) s; all of its output is in $log" >&2
    exit 1
  fi
  say "$name: done in $((SECONDS - begin)) s"
}

# Where `once` notes the key a step was done with, and how a step is made to run again.
mark_of() { printf '%s' "$CACHE/steps/${1//[ \/]/-}"; }
forget() { rm -f "$(mark_of "$1")"; }

# once NAME KEY COMMAND...: `timed`, unless it was done before with the same KEY (any text that names all inputs).
once() {
  local name=$1 key=$2 mark
  mark=$(mark_of "$name")
  shift 2
  if [[ -f $mark && $(<"$mark") == "$key" ]]; then
    say "$name: kept"
    return
  fi
  rm -f "$mark"
  timed "$name" "$@"
  printf '%s\n' "$key" >"$mark"
}

# Fingerprint of files and folders, for `once`.
fingerprint() { find "$@" -type f -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16; }
