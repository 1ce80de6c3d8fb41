#!/bin/bash
# Proves that the kind cluster does what BlinkChamber needs of it (see platform/kind/README.md).
exec "$(dirname "${BASH_SOURCE[0]}")/../platform/kind/check.sh" "$@"
