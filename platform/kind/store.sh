#!/bin/bash
# containerd's store with the system images unpacked: made once, hard-linked for every node of every cluster.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"
# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"

rm -rf "$CACHE/store"
mkdir -p "$CACHE/store"
podman run --rm --privileged --network none --volume "$CACHE/store:/var/lib/containerd" \
  --volume "$CACHE/system-images.tar:/images.tar:ro" --entrypoint import-images "$NODE_IMAGE" /images.tar
