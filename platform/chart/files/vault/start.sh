#!/bin/sh
# Runs one OpenBao server: renders what varies into $DATA/instance.hcl and becomes the server.
#
# Environment: INSTANCE ADDRESS PEERS DATA SECRETS FILES TLS (docs/architecture.md), RUN_AS, BAO (the server's binary),
# VAULT_AUTO_UNSEAL (true: static seal with $SECRETS/seal-key; false: Shamir shares),
# VAULT_PERFORMANCE_MULTIPLIER (1), VAULT_LOG_LEVEL (info).
set -eu

if [ "$(id -u)" = 0 ] && [ "${RUN_AS:-root}" != root ]; then
  mkdir -p "$DATA"
  chown -R "$RUN_AS" "$DATA"
  exec setpriv --reuid "$RUN_AS" --regid "$(id -g "$RUN_AS")" --init-groups "$0" "$@"
fi

fail() {
  echo "start.sh: $*" >&2
  exit 1
}

# The address other nodes know this one by: on Kubernetes a DNS name that outlives the pod's address, since Raft
# stores it as the server's address.
announced() {
  for peer in $PEERS; do
    [ "${peer%%=*}" = "$INSTANCE" ] && echo "${peer#*=}" && return
  done
  fail "PEERS does not name $INSTANCE"
}

# Every peer, not only the first: a node that comes back while that one is gone could not join (itself is harmless,
# and a cluster that was never initialized has no leader to find).
retry_join() {
  for peer in $PEERS; do
    [ "${peer%%=*}" = "$INSTANCE" ] && continue
    cat <<HCL
  retry_join {
    leader_api_addr = "https://${peer#*=}:8200"
    leader_ca_cert_file = "$TLS/ca.crt"
  }
HCL
  done
}

seal() {
  [ "${VAULT_AUTO_UNSEAL:-true}" = true ] || return 0
  [ -r "$SECRETS/seal-key" ] || fail "$(id -un) cannot read $SECRETS/seal-key"
  cat <<HCL
seal "static" {
  current_key_id = "1"
  current_key = "file://$SECRETS/seal-key"
}
HCL
}

render() {
  cat <<HCL
api_addr = "https://$1:8200"
cluster_addr = "https://$1:8201"

listener "tcp" {
  address = "$ADDRESS:8200"
  cluster_address = "$ADDRESS:8201"
  tls_cert_file = "$TLS/tls.crt"
  tls_key_file = "$TLS/tls.key"
  telemetry {
    unauthenticated_metrics_access = true
  }
}

storage "raft" {
  path = "$DATA/raft"
  node_id = "$INSTANCE"
  # Heartbeat, election and lease timeouts are 1 s, 1 s and 0.5 s times this.
  performance_multiplier = ${VAULT_PERFORMANCE_MULTIPLIER:-1}
  # How soon a node that has caught up becomes a voter again; the defaults (10 s) leave two voters for too long.
  autopilot_reconcile_interval = "1s"
  autopilot_update_interval = "500ms"
$(retry_join)
}
$(seal)
HCL
}

umask 077
mkdir -p "$DATA/raft"
SELF=$(announced)
render "$SELF" >"$DATA/instance.hcl"

# Bounds for a small machine: without them every server keeps a heap for all cores of the host.
export GOMAXPROCS="${GOMAXPROCS:-2}" GOMEMLIMIT="${GOMEMLIMIT:-80MiB}" GOGC="${GOGC:-50}"
export HOME="$DATA"
# The audit file of server.hcl is relative: see there.
cd "$DATA"
echo "start.sh: $INSTANCE on $ADDRESS, known as $SELF, auto-unseal ${VAULT_AUTO_UNSEAL:-true}"
exec "${BAO:-bao}" server -config="$FILES/server.hcl" -config="$DATA/instance.hcl" -log-level="${VAULT_LOG_LEVEL:-info}"
