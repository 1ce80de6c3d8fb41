#!/bin/sh
# Exit 0 when this OpenBao server is initialized and unsealed, active or standby. Environment: ADDRESS TLS.
# Redundancy (three voters) is the cluster's matter: setup.sh waits for it.
set -eu
exec curl -fsS --max-time 2 --cacert "$TLS/ca.crt" -o /dev/null "https://$ADDRESS:8200/v1/sys/health?standbyok=true"
