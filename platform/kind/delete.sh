#!/bin/bash
# Deletes a kind cluster made by create.sh; with a registry-free one also its network, registry and kernel settings.
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
command -v kind >/dev/null || { say "there is no kind here, so no cluster $NAME either" && exit; }

if [[ ! -d $CACHE/nodes/$NAME ]]; then # not a registry-free one
  timed "delete cluster $NAME" kind delete cluster --name "$NAME"
  rm -f "$CACHE/$NAME.yaml"
  exit
fi

# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"
# shellcheck source=platform/kind/network.sh
source "$KIND_DIR/network.sh"
# shellcheck source=platform/kind/registry.sh
source "$KIND_DIR/registry.sh"
timed "delete cluster $NAME" kind delete cluster --name "$NAME"
registry_down
timed "remove the network" network_down
timed "remove its stores" rm -rf "$CACHE/nodes/$NAME" "$CACHE/$NAME.yaml"
engine_down
