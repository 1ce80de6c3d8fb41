#!/bin/bash
# Deletes the kind cluster and all that belongs to it (containers, networks, mounts).
exec "$(dirname "${BASH_SOURCE[0]}")/../platform/kind/delete.sh" "$@"
