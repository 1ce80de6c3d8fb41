#!/bin/bash
# The node base image: the part of the node image that comes from Debian.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"
# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"

build "$NODE_BASE" "$KIND_DIR/node" "$KIND_DIR/node/base.Containerfile" --build-arg BASE="$BASE"
