#!/bin/sh
# Exit 0 when this OpenBao server is initialized and unsealed, active or standby. Environment: INSTANCE ADDRESS PEERS TLS.
# Redundancy (three voters) is the cluster's matter: setup.sh waits for it.
set -eu
# Its certificate names what PEERS calls it, which on Kubernetes is not its address.
self=$(for peer in $PEERS; do [ "${peer%%=*}" != "$INSTANCE" ] || echo "${peer#*=}"; done)
exec curl -fsS --max-time 2 --cacert "$TLS/ca.crt" -o /dev/null --connect-to "$self:8200:$ADDRESS:8200" \
  "https://$self:8200/v1/sys/health?standbyok=true"
