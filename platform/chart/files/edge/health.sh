#!/bin/sh
# Exit 0 when the edge answers. Environment: ADDRESS EDGE_METRICS_PORT (8404).
set -eu
exec curl -fsS --max-time 2 -o /dev/null "http://$ADDRESS:${EDGE_METRICS_PORT:-8404}/healthz"
