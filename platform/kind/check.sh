#!/bin/bash
# Proves a kind cluster by using it: nodes, images, names, Services, volumes, metrics and the way from the host to pods.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"

NAME=blinkchamber
while (($#)); do
  case $1 in
  --name) NAME=${2:?--name needs a name} && shift ;;
  *) echo "usage: check.sh [--name NAME]" >&2 && exit 2 ;;
  esac
  shift
done
need_programs kubectl jq
kube() { kubectl --context "kind-$NAME" "$@"; }
check() { kube --namespace cluster-check "$@"; }

IMAGE=$(sed -n 's/^redis=//p' "$CACHE/images.env" 2>/dev/null) || true
[[ -n $IMAGE ]] || refuse "no image to pull: platform/images/build.sh --name $NAME redis"
kube get --raw /readyz >/dev/null 2>&1 ||
  refuse "cluster $NAME does not answer: scripts/create-kind-cluster.sh --name $NAME"

ready() { kube wait --for=condition=Ready nodes --all --timeout=60s; }

pulled() {
  sed "s|\${IMAGE}|$IMAGE|" "$KIND_DIR/check.yaml" | check apply -f -
  check rollout status daemonset/each --timeout=120s
  check rollout status statefulset/volume --timeout=120s
  [[ $(addresses | wc -w) == $(kube get nodes --output name | wc -l) ]] # one on every node
}

# Every pod asks the Service by name, so a wrong route between two nodes or a dead DNS shows.
names_and_services() {
  local pod address
  for pod in $(check get pods --selector app=each --output name); do
    check exec "$pod" -- getent hosts kubernetes.default.svc.cluster.local
    check exec "$pod" -- timeout 5 redis-cli -h each.cluster-check.svc.cluster.local ping | grep PONG
    for address in $(addresses); do check exec "$pod" -- timeout 5 redis-cli -h "$address" ping | grep PONG; done
  done
}

addresses() { check get pods --selector app=each --output jsonpath='{.items[*].status.podIP}'; }

# What was acknowledged is there for the next pod of that name.
volume_survives_its_pod() {
  check exec volume-0 -- redis-cli set kept yes | grep OK
  check delete pod volume-0
  check rollout status statefulset/volume --timeout=60s
  check exec volume-0 -- redis-cli get kept | grep yes
}

metrics() {
  local deadline=$((SECONDS + 90)) nodes
  nodes=$(kube get nodes --output name | wc -l)
  until (($(kube top nodes --no-headers 2>/dev/null | wc -l) == nodes)); do
    ((SECONDS < deadline)) || { echo "no metrics of all nodes within 90 s" >&2 && return 1; }
    sleep 1
  done
  kube top nodes
}

from_the_host() {
  local address answer
  for address in $(addresses); do
    # shellcheck disable=SC2016 # $1 is the inner shell's
    answer=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/6379"; printf "PING\r\n" >&3; head -n 1 <&3' - "$address")
    [[ $answer == +PONG* ]] || { echo "no answer of $address" >&2 && return 1; }
  done
}

trap 'kube delete namespace cluster-check --ignore-not-found >/dev/null' EXIT
timed "nodes are ready" ready
timed "every node pulls and runs an image" pulled
timed "pods find names, Services and each other" names_and_services
timed "a volume survives its pod" volume_survives_its_pod
timed "kubectl top" metrics
if [[ -d $CACHE/nodes/$NAME ]]; then # of a stock cluster the host knows no routes
  timed "the host reaches pods" from_the_host
fi
