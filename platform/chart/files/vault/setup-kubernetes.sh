#!/bin/sh
# setup.sh as a Job: takes up what an earlier pod kept in the Secret vault-init, then runs it with Kubernetes auth.
# Environment: as setup.sh and keep.sh.
set -eu
umask 077

ACCOUNT=${ACCOUNT:-/var/run/secrets/kubernetes.io/serviceaccount}
export ACCOUNT SETUP_DIR SETUP_AUTH=kubernetes SETUP_KEEP="$FILES/keep.sh"

mkdir -p "$SETUP_DIR"
printf 'Authorization: Bearer %s' "$(cat "$ACCOUNT/token")" >"$SETUP_DIR/api-header"
curl -fsS --max-time 20 --retry 10 --retry-all-errors --cacert "$ACCOUNT/ca.crt" -H "@$SETUP_DIR/api-header" \
  "${K8S_HOST:-https://kubernetes.default.svc}/api/v1/namespaces/blinkchamber/secrets/vault-init" >"$SETUP_DIR/kept"
for name in init.json "done"; do
  if jq -e --arg name "$name" '.data[$name]' "$SETUP_DIR/kept" >/dev/null; then
    jq -j --arg name "$name" '.data[$name] | @base64d' "$SETUP_DIR/kept" >"$SETUP_DIR/$name"
  fi
done
rm -f "$SETUP_DIR/kept"
exec "$FILES/setup.sh"
