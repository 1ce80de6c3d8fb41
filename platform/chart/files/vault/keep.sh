#!/bin/sh
# Keeps files of SETUP_DIR in Kubernetes Secrets, since a pod's own files do not outlive it: `keep.sh FILE...`.
# The suite's login to Vault goes to the suite's Secret, all else to vault-init. Environment: SETUP_DIR, and
# K8S_HOST (https://kubernetes.default.svc), ACCOUNT (directory of this pod's token).
set -eu

ACCOUNT=${ACCOUNT:-/var/run/secrets/kubernetes.io/serviceaccount}

# merge SECRET-PATH: adds to a Secret what stdin has as {"name": "text"}. The token goes through a file of curl's.
merge() {
  jq '{data: map_values(@base64)}' |
    curl -fsS --max-time 20 --retry 10 --retry-all-errors --cacert "$ACCOUNT/ca.crt" -H "@$SETUP_DIR/api-header" \
      -H 'Content-Type: application/merge-patch+json' -X PATCH -d @- -o /dev/null \
      "${K8S_HOST:-https://kubernetes.default.svc}/api/v1/namespaces/$1"
}

umask 077
printf 'Authorization: Bearer %s' "$(cat "$ACCOUNT/token")" >"$SETUP_DIR/api-header"
for name in "$@"; do
  case $name in
  chaos-*) secret=chaosblink/secrets/blinkchamber-secrets ;;
  *) secret=blinkchamber/secrets/vault-init ;;
  esac
  jq -n --arg name "$name" --rawfile text "$SETUP_DIR/$name" '{($name): $text}' | merge "$secret"
done
