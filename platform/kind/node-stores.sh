#!/bin/bash
# Gives each node of a cluster its own store: hard links to what never changes, copies of the databases, which do.
# Arguments: the cluster's name, then its nodes.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"

STORES=$CACHE/nodes/$1
shift
rm -rf "$STORES"
mkdir -p "$STORES"
for node in "$@"; do
  cp -al "$CACHE/store" "$STORES/$node"
  find "$CACHE/store" -name '*.db' -printf '%P\n' | while read -r database; do
    cp --remove-destination "$CACHE/store/$database" "$STORES/$node/$database"
  done
done
# Tells this life of the cluster from the next one of the same name.
date --iso-8601=ns >"$STORES/created"
