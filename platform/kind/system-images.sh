#!/bin/bash
# The images a cluster starts with, out of the binaries, in one archive: control plane, DNS, pause, storage, metrics.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"
# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"

WORK=$(mktemp -d "$CACHE/system-images.XXXX")
trap 'rm -rf "$WORK"' EXIT
IMAGES=("$BASE")

# scratch TAG BINARY PATH: an image of one static binary, which is also its entry point.
scratch() {
  local context=$WORK/$2
  mkdir -p "$context"
  ln "$CACHE/bin/$2" "$context/$2"
  printf 'FROM scratch\nCOPY %s %s\nENTRYPOINT ["%s"]\n' "$2" "$3" "$3" >"$context/Containerfile"
  build "$1" "$context" "$context/Containerfile"
  IMAGES+=("$1")
}

# kube-proxy needs iptables beside it, which the node base has; as image layers the two are stored once.
proxy() {
  mkdir -p "$WORK/proxy"
  ln "$CACHE/bin/kube-proxy" "$WORK/proxy/kube-proxy"
  build "$1" "$WORK/proxy" "$KIND_DIR/kube-proxy.Containerfile" --build-arg BASE="$NODE_BASE"
  IMAGES+=("$1")
}

# kubeadm says which names and tags it will ask for.
for tag in $(kubeadm config images list --kubernetes-version "v$KUBERNETES"); do
  name=${tag##*/}
  case ${name%:*} in
  kube-proxy) proxy "$tag" ;;
  coredns) scratch "$tag" coredns /coredns ;;
  *) scratch "$tag" "${name%:*}" "/usr/local/bin/${name%:*}" ;;
  esac
done
scratch blinkchamber.test/local-path-provisioner:"v$LOCAL_PATH" local-path-provisioner /local-path-provisioner
scratch blinkchamber.test/metrics-server:"v$METRICS_SERVER" metrics-server /metrics-server

rm -f "$CACHE/system-images.tar"
podman save --quiet --multi-image-archive --output "$CACHE/system-images.tar" "${IMAGES[@]}"
