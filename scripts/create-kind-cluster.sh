#!/bin/bash
# Creates the kind cluster BlinkChamber is deployed on (see platform/kind/README.md).
exec "$(dirname "${BASH_SOURCE[0]}")/../platform/kind/create.sh" "$@"
