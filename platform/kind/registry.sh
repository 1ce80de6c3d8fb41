# A registry for the platform's own images on the node network's gateway. Sourced after engine.sh.
# shellcheck shell=bash

REGISTRY_PID=$RUN/registry.pid

registry_running() {
  [[ -f $REGISTRY_PID ]] && grep -q docker-registry "/proc/$(<"$REGISTRY_PID")/cmdline" 2>/dev/null
}

registry_up() {
  if registry_running; then return; fi
  mkdir -p "$CACHE/registry"
  cat >"$CACHE/registry.yml" <<CONF
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $CACHE/registry}, delete: {enabled: true}}
http: {addr: "$NODE_GATEWAY:5000"}
CONF
  setsid docker-registry serve "$CACHE/registry.yml" >"$CACHE/logs/registry" 2>&1 </dev/null &
  echo $! >"$REGISTRY_PID"
  curl --silent --fail --output /dev/null --retry 30 --retry-delay 1 --retry-connrefused "http://$NODE_GATEWAY:5000/v2/"
}

registry_down() {
  if registry_running; then kill "$(<"$REGISTRY_PID")"; fi
  rm -f "$REGISTRY_PID"
}
