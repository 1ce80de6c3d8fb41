#!/bin/bash
# The node image: Debian with systemd, containerd and the kubelet, laid out as kind expects a node to be.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"
# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"

WORK=$(mktemp -d "$CACHE/node-image.XXXX")
trap 'rm -rf "$WORK"' EXIT

cp "$KIND_DIR"/node/* "$WORK"
ln "$CACHE"/bin/{kubelet,kubeadm,kubectl} "$WORK"
mkdir "$WORK/manifests"
for manifest in "$KIND_DIR"/manifests/*.yaml; do
  sed "s/\${DEBIAN}/$DEBIAN/; s/\${LOCAL_PATH}/$LOCAL_PATH/; s/\${METRICS_SERVER}/$METRICS_SERVER/" "$manifest" \
    >"$WORK/manifests/${manifest##*/}"
done
pause=$(kubeadm config images list --kubernetes-version "v$KUBERNETES" | grep /pause:)
sed "s|\${PAUSE}|$pause|" "$KIND_DIR/node/config.toml" >"$WORK/config.toml"
# `server` alone is not read by Debian's containerd 1.6
printf '[host."http://%s:5000"]\n  capabilities = ["pull", "resolve"]\n' "$NODE_GATEWAY" >"$WORK/hosts.toml"
echo "v$KUBERNETES" >"$WORK/version"
sed -n 's/ *podSubnet: //p' "$KIND_DIR/cluster.yaml" >"$WORK/pod-subnet"

build "$NODE_IMAGE" "$WORK" "$WORK/Containerfile" --build-arg BASE="$NODE_BASE"
