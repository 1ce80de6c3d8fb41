#!/bin/bash
# Deletes a kind cluster made by create.sh; with the last registry-free one also its network, registry and settings.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"

NAME=blinkchamber
while (($#)); do
  case $1 in
  --name) NAME=${2:?--name needs a name} && shift ;;
  *) echo "usage: delete-kind-cluster.sh [--name NAME]" >&2 && exit 2 ;;
  esac
  shift
done

if [[ ! -d $CACHE/nodes/$NAME ]]; then
  timed "delete cluster $NAME" kind delete cluster --name "$NAME"
  exit
fi

# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"
# shellcheck source=platform/kind/network.sh
source "$KIND_DIR/network.sh"
# shellcheck source=platform/kind/registry.sh
source "$KIND_DIR/registry.sh"
timed "delete cluster $NAME" kind delete cluster --name "$NAME"
timed "remove its stores" rm -rf "$CACHE/nodes/$NAME" "$CACHE/$NAME.yaml"
if [[ -z $(ls "$CACHE/nodes") ]]; then
  registry_down
  timed "remove the network" network_down
  # podman leaves its store mounted on itself
  if mountpoint -q "$CACHE/podman/overlay"; then umount "$CACHE/podman/overlay"; fi
fi
