#!/bin/bash
# Builds Go programs (arguments: their names) into the cache's bin folder, all at once from one module: what they have
# in common is compiled once, at one version.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/../step.sh"
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# Kubernetes' own modules are versioned v0.X.Y beside Kubernetes v1.X.Y, and its go.mod names them without a version.
STAGING=v0.${KUBERNETES#1.}
STAGING_MODULES=(api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider
  cluster-bootstrap component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
  dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
  kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission)
UNUSED_MODULES=(code-generator sample-apiserver sample-cli-plugin sample-controller)

# What is fetched is the same whatever is built, so what one build compiled serves the next.
WANTED=("go.etcd.io/etcd/server/v3@v$ETCD" "github.com/coredns/coredns/coremain@v$COREDNS"
  "github.com/rancher/local-path-provisioner@v$LOCAL_PATH" "sigs.k8s.io/metrics-server/cmd/metrics-server@v$METRICS_SERVER"
  "github.com/hashicorp/vault-k8s@v$VAULT_K8S")
PACKAGES=() ALONE=()
for name in "$@"; do
  case $name in
  kube-* | kubelet | kubectl | kubeadm) PACKAGES+=("k8s.io/kubernetes/cmd/$name") ;;
  etcd) PACKAGES+=(go.etcd.io/etcd/server/v3) ;;
  coredns | pause) PACKAGES+=("./$name") ;;
  # It imports a module by a name that differs from the others' in case only, which Go refuses within one build.
  local-path-provisioner) ALONE=(github.com/rancher/local-path-provisioner) ;;
  metrics-server) PACKAGES+=(sigs.k8s.io/metrics-server/cmd/metrics-server) ;;
  vault-k8s) PACKAGES+=(github.com/hashicorp/vault-k8s) ;;
  *) refuse "no such program: $name" ;;
  esac
done

# `go install` refuses what needs replace directives, so the programs are built in a module of our own.
mkdir -p "$CACHE/go"
cp -r "$KIND_DIR"/programs/{go.sum,coredns,pause} "$CACHE/go"
cd "$CACHE/go"
printf 'module chaosblink.invalid/programs\n\ngo 1.24.0\n' >go.mod
for module in "${STAGING_MODULES[@]}" "${UNUSED_MODULES[@]}"; do
  echo "replace k8s.io/$module => k8s.io/$module $STAGING" >>go.mod
done
pinned=("${STAGING_MODULES[@]/#/k8s.io/}")
go get "k8s.io/kubernetes@v$KUBERNETES" "${pinned[@]/%/@$STAGING}" "${WANTED[@]}"

# kubeadm compares versions, so the programs must know theirs.
minor=${KUBERNETES#1.}
stamp=k8s.io/component-base/version
build() {
  go build -mod=mod -trimpath -ldflags "-s -w -X $stamp.gitVersion=v$KUBERNETES -X $stamp.gitMajor=1 \
-X $stamp.gitMinor=${minor%.*} -X $stamp.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=v$KUBERNETES" \
    -o "$CACHE/bin/" "$@"
}
((${#PACKAGES[@]} == 0)) || build "${PACKAGES[@]}"
((${#ALONE[@]} == 0)) || build "${ALONE[@]}"
# Go names it after its folder.
if [[ " $* " == *" etcd "* ]]; then mv "$CACHE/bin/server" "$CACHE/bin/etcd"; fi
