#!/bin/sh
# Exit 0 when this node is ready, which it is not while its database is away. Environment: ADDRESS PORT.
set -eu
exec curl -fsS -m 2 -o /dev/null "http://$ADDRESS:${PORT:-8080}/debug/ready"
