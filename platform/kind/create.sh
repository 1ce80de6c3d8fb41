#!/bin/bash
# Creates the kind cluster: with the stock node image where one can be pulled, else with one built from packages.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"

NAME=blinkchamber MODE=auto BUILD_ONLY=
NODES=(control-plane worker worker2 worker3)
PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl kubeadm etcd coredns
  local-path-provisioner metrics-server pause)

usage() {
  echo "usage: create-kind-cluster.sh [--name NAME] [--stock | --registry-free | --build-only] [--delete]"
  echo "  --stock          use kind's stock node image (needs Docker or podman, and an image registry)"
  echo "  --registry-free  build everything from Debian packages and Go modules (needs root)"
  echo "  --build-only     build what --registry-free needs and keep it; create nothing"
  echo "  --delete         remove the cluster instead"
}

while (($#)); do
  case $1 in
  --name) NAME=${2:?--name needs a name} && shift ;;
  --stock | --registry-free) MODE=${1#--} ;;
  --delete) exec "$KIND_DIR/delete.sh" --name "$NAME" ;;
  --build-only) MODE=registry-free BUILD_ONLY=yes ;;
  --help) usage && exit ;;
  *) usage >&2 && exit 2 ;;
  esac
  shift
done
[[ $NAME =~ ^[a-z][a-z0-9-]{0,30}$ ]] || refuse "a cluster's name is lower-case letters, digits and dashes: $NAME"

# Whether a Docker daemon answers here and has, or can pull, the stock node image.
stock_possible() {
  timeout 10 docker info >/dev/null 2>&1 || return 1
  docker image inspect "$STOCK_NODE_IMAGE" >/dev/null 2>&1 ||
    timeout 600 docker pull --quiet "$STOCK_NODE_IMAGE" >/dev/null 2>&1
}

# The cluster definition, with each node's store mounted where `registry_free` made one.
definition() {
  local text node mounts
  text=$(<"$KIND_DIR/cluster.yaml")
  for node in "${NODES[@]}"; do
    mounts='[]'
    [[ $MODE == stock ]] || mounts="[{hostPath: $CACHE/nodes/$NAME/$node, containerPath: /var/lib/containerd}]"
    text=${text//"\${MOUNTS_$node}"/$mounts}
  done
  printf '%s\n' "$text"
}

kind_itself() {
  need_programs go
  once "build kind" "$KIND" env GOBIN="$CACHE/bin" CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" \
    "sigs.k8s.io/kind@v$KIND"
}

refuse_existing() {
  if kind get clusters 2>/dev/null | grep -qx "$NAME"; then
    refuse "cluster $NAME exists: remove it with scripts/delete-kind-cluster.sh --name $NAME"
  fi
}

# Pods of two clusters would have the same addresses, and the host reaches pods by their addresses.
refuse_second() {
  local other
  for other in "$CACHE"/nodes/*/; do
    other=$(basename "$other")
    [[ $other == '*' || $other == "$NAME" ]] ||
      refuse "cluster $other is there, and one at a time can be: scripts/delete-kind-cluster.sh --name $other"
  done
}

# All nodes share this machine's CPU; what measures must run when it has to, as it would on a machine of its own.
favour_suite() { "$1" update --cpu-shares 16384 "$NAME-worker3" >/dev/null; } # 16 times a node's weight

stock() {
  need_programs kubectl
  kind_itself
  refuse_existing
  definition >"$CACHE/$NAME.yaml"
  timed "create cluster $NAME" kind create cluster --name "$NAME" --config "$CACHE/$NAME.yaml" --wait 120s \
    --image "$STOCK_NODE_IMAGE"
  favour_suite docker
  # metrics-server is published beside Kubernetes' own images
  local image
  image=$(kubectl --context "kind-$NAME" --namespace kube-system get pod "kube-apiserver-$NAME-control-plane" \
    --output jsonpath='{.spec.containers[0].image}')
  METRICS_IMAGE=${image%/*}/metrics-server/metrics-server:v$METRICS_SERVER
}

# The programs and the base images know nothing of each other: one keeps the processors busy, the other the network.
parts() {
  local programs base debian system node
  # shellcheck disable=SC2153 # DEBIAN is a version
  base="$DEBIAN $(fingerprint "$KIND_DIR"/{debian.sh,engine.sh})"
  debian="$base $(fingerprint "$KIND_DIR"/{node-base.sh,node/base.Containerfile})"
  programs="$KUBERNETES $ETCD $COREDNS $LOCAL_PATH $METRICS_SERVER $(fingerprint "$KIND_DIR/programs")"
  system="$debian $programs $(fingerprint "$KIND_DIR"/{system-images.sh,kube-proxy.Containerfile})"
  node="$debian $programs $(fingerprint "$KIND_DIR"/{node-image.sh,cluster.yaml,node,manifests})"
  { once "base image" "$base" "$KIND_DIR/debian.sh" && once "node base image" "$debian" "$KIND_DIR/node-base.sh"; } &
  once "build programs" "$programs" "$KIND_DIR/programs/build.sh" "${PROGRAMS[@]}"
  wait $!
  once "system images" "$system" "$KIND_DIR/system-images.sh"
  once "node image" "$node" "$KIND_DIR/node-image.sh"
  once "image store" "$system $node" "$KIND_DIR/store.sh"
}

registry_free() {
  METRICS_IMAGE=blinkchamber.test/metrics-server:v$METRICS_SERVER
  # shellcheck source=platform/kind/engine.sh
  source "$KIND_DIR/engine.sh"
  need_programs /usr/lib/podman/netavark /usr/lib/podman/aardvark-dns curl jq nft ip docker-registry
  # shellcheck source=platform/kind/network.sh
  source "$KIND_DIR/network.sh"
  # shellcheck source=platform/kind/registry.sh
  source "$KIND_DIR/registry.sh"
  refuse_second
  kind_itself
  if [[ -n $BUILD_ONLY ]]; then
    parts
    say "built: what a cluster needs is in $CACHE"
    exit
  fi
  refuse_existing
  parts
  timed "node stores" "$KIND_DIR/node-stores.sh" "$NAME" "${NODES[@]}"
  network_up
  definition >"$CACHE/$NAME.yaml"
  timed "create cluster $NAME" kind create cluster --name "$NAME" --config "$CACHE/$NAME.yaml" --image "$NODE_IMAGE" \
    --wait 120s
  registry_up
  timed "routes to pods" routes_up "$NAME"
  favour_suite podman
}

# Deployments and not their pods: one that is replaced meanwhile goes, and would be waited for in vain.
all_ready() {
  kubectl --context "kind-$NAME" wait --for=condition=Ready nodes --all --timeout=120s &&
    kubectl --context "kind-$NAME" wait --for=condition=Available deployments --all --all-namespaces --timeout=120s
}

metrics_server() {
  sed "s|\${IMAGE}|$METRICS_IMAGE|" "$KIND_DIR/metrics-server.yaml" | kubectl --context "kind-$NAME" apply -f -
}

# CoreDNS is ready before the workers are, and so it starts on the control plane: with that, names would be lost too.
names_on_workers() {
  kubectl --context "kind-$NAME" --namespace kube-system patch deployment coredns --patch '
spec: {template: {spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
  {matchExpressions: [{key: node-role.kubernetes.io/control-plane, operator: DoesNotExist}]}]}}}}}}'
  kubectl --context "kind-$NAME" --namespace kube-system rollout status deployment coredns --timeout=120s
}

if [[ $MODE == auto ]]; then if stock_possible; then MODE=stock; else MODE=registry-free; fi; fi
say "cluster $NAME, $MODE"
"${MODE//-/_}"
timed "metrics-server" metrics_server
timed "names on workers" names_on_workers
timed "all nodes and pods ready" all_ready
# kubectl of the cluster's own version is beside kind
say "ready: export PATH=$CACHE/bin:\$PATH; kubectl --context kind-$NAME get nodes"
