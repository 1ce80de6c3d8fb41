#!/bin/bash
# Builds one group of Go programs ($1) into the cache's bin folder, each from its Go module at the pinned version.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"

GROUP=$1
WORK=$CACHE/go/$GROUP
export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -p=${CHAOSBLINK_BUILD_JOBS:-2}"

# Kubernetes' own modules are versioned v0.X.Y beside Kubernetes v1.X.Y.
staging=v0.${KUBERNETES#1.}
STAGING_MODULES=(api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider
  cluster-bootstrap code-generator component-base component-helpers controller-manager cri-api cri-client
  csi-translation-lib dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator
  kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission
  sample-apiserver sample-cli-plugin sample-controller)
# The same versions in a program beside Kubernetes: the packages they share are compiled once.
SHARED=("k8s.io/api@$staging" "k8s.io/apimachinery@$staging" "k8s.io/client-go@$staging")

# A module of our own that depends on the programs as tools: `go install` refuses modules with replace directives.
new_module() {
  rm -rf "$WORK"
  mkdir -p "$WORK"
  cd "$WORK"
  printf 'module chaosblink.invalid/%s\n\ngo 1.24.0\n' "$GROUP" >go.mod
}

# program NAME PACKAGE VERSION MODULE@VERSION...: fetch and build one program.
program() {
  local name=$1 package=$2 version=$3
  shift 3
  new_module
  go get -tool "$package@v$version" "$@"
  go build -trimpath -ldflags "-s -w" -o "$CACHE/bin/$name" "$package"
}

kubernetes() {
  local names=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl kubeadm)
  local packages=("${names[@]/#/k8s.io/kubernetes/cmd/}") stamp=k8s.io/component-base/version module
  new_module
  for module in "${STAGING_MODULES[@]}"; do
    echo "replace k8s.io/$module => k8s.io/$module $staging" >>go.mod
  done
  go get -tool "${packages[@]/%/@v$KUBERNETES}"
  # kubeadm compares versions, so the programs must know theirs.
  local minor=${KUBERNETES#1.}
  go build -trimpath -ldflags "-s -w -X $stamp.gitVersion=v$KUBERNETES -X $stamp.gitMajor=1 \
-X $stamp.gitMinor=${minor%.*} -X $stamp.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=v$KUBERNETES" \
    -o "$CACHE/bin/" "${packages[@]}"
}

case $GROUP in
kubernetes) kubernetes ;;
kind) program kind sigs.k8s.io/kind "$KIND" ;;
etcd) program etcd go.etcd.io/etcd/server/v3 "$ETCD" ;;
coredns) program coredns github.com/coredns/coredns "$COREDNS" "${SHARED[@]}" ;;
local-path-provisioner)
  program local-path-provisioner github.com/rancher/local-path-provisioner "$LOCAL_PATH" "${SHARED[@]}"
  ;;
# It asks for newer versions of the shared modules than Kubernetes' own, so it shares nothing.
metrics-server)
  program metrics-server sigs.k8s.io/metrics-server/cmd/metrics-server "$METRICS_SERVER" \
    "sigs.k8s.io/metrics-server@v$METRICS_SERVER"
  ;;
pause) CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$CACHE/bin/pause" "$KIND_DIR/pause/main.go" ;;
*) refuse "no such group of programs: $GROUP" ;;
esac
