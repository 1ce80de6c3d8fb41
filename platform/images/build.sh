#!/bin/bash
# Builds the platform's images and hands them to a kind cluster; each is built once for each content of its inputs.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/../kind/step.sh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
ALL=(postgresql redis openbao edge identity eventrelay injector suite)
NAME=blinkchamber
BUILD_ONLY=
ONLY=()

while (($#)); do
  case $1 in
  --name) NAME=${2:?--name needs a name} && shift ;;
  --build-only) BUILD_ONLY=yes ;;
  -*) echo "usage: build.sh [--name CLUSTER | --build-only] [IMAGE...]   images: ${ALL[*]}" >&2 && exit 2 ;;
  *) ONLY+=("$1") ;;
  esac
  shift
done
((${#ONLY[@]})) || ONLY=("${ALL[@]}")

# A cluster without an image registry has its nodes' stores in the cache; any other was made from stock images.
if [[ -d $CACHE/nodes/$NAME ]] || ! timeout 10 docker info >/dev/null 2>&1; then
  # shellcheck source=platform/kind/engine.sh
  source "$KIND_DIR/engine.sh"
  DEBIAN_IMAGE=$BASE
  podman image exists "$BASE" || timed "base image" "$KIND_DIR/debian.sh"
  have() { podman image exists "$1"; }
  hand_over() { podman push --quiet --tls-verify=false "$1" "docker://$NODE_GATEWAY:5000/${1#*/}"; }
else
  DEBIAN_IMAGE=debian:$DEBIAN-slim
  build() { docker build --quiet --tag "$1" --file "$3" "${@:4}" "$2"; }
  have() { docker image inspect "$1" >/dev/null 2>&1; }
  hand_over() { kind load docker-image --name "$NAME" "$1"; }
fi

declare -A TAG=()

# image NAME CONTEXT INPUTS... -- ARGUMENT...: build it unless its inputs and its base are those of an earlier build.
image() {
  local name=$1 context=$2 inputs=() arguments=() content
  shift 2
  while [[ $1 != -- ]]; do inputs+=("$1") && shift; done
  shift
  while (($#)); do arguments+=(--build-arg "$1") && shift; done
  content=$({ printf '%s\n' "${arguments[@]}" && fingerprint "$HERE/$name.Containerfile" "${inputs[@]}"; } | sha256sum)
  TAG[$name]=blinkchamber.test/$name:${content:0:12}
  have "${TAG[$name]}" || forget "image $name"
  once "image $name" "${TAG[$name]}" build "${TAG[$name]}" "$context" "$HERE/$name.Containerfile" "${arguments[@]}"
}

# Of the files git knows, those that are there: nothing else of the work tree belongs into an image.
export_tree() {
  local files=() file
  cd "$ROOT"
  while IFS= read -r -d '' file; do
    [[ ! -e $file ]] || files+=("$file")
  done < <(git ls-files -z --cached --others --exclude-standard)
  rm -rf "$1" && mkdir "$1"
  cp --parents --target-directory="$1" "${files[@]}"
}

one() {
  case $1 in
  base) image base "$HERE" -- DEBIAN="$DEBIAN_IMAGE" ;;
  python) need base && image python "$HERE" -- BASE="${TAG[base]}" ;;
  postgresql | redis | edge) need base && image "$1" "$HERE" -- BASE="${TAG[base]}" ;;
  openbao)
    need python
    image openbao "$HERE" -- BASE="${TAG[base]}" PYTHON="${TAG[python]}" OPENBAO_VERSION="$OPENBAO"
    ;;
  identity)
    need openbao
    image identity "$ROOT/platform/identity" "$ROOT"/platform/identity/{pyproject.toml,zitadel_standin} -- \
      PYTHON="${TAG[python]}" OPENBAO="${TAG[openbao]}"
    ;;
  eventrelay)
    need python
    image eventrelay "$ROOT/platform/eventrelay" "$ROOT"/platform/eventrelay/{pyproject.toml,README.md,eventrelay} -- \
      PYTHON="${TAG[python]}"
    ;;
  injector)
    need base
    once "build vault-k8s" "$VAULT_K8S $KUBERNETES $(fingerprint "$KIND_DIR/programs")" \
      "$KIND_DIR/programs/build.sh" vault-k8s
    mkdir -p "$CACHE/injector" && ln -f "$CACHE/bin/vault-k8s" "$CACHE/injector"
    image injector "$CACHE/injector" "$CACHE/injector" -- BASE="${TAG[base]}" VERSION="$VAULT_K8S"
    ;;
  suite-base)
    need python
    image suite-base "$ROOT" "$ROOT/pyproject.toml" -- PYTHON="${TAG[python]}"
    ;;
  suite)
    need suite-base
    (export_tree "$CACHE/suite")
    image suite "$CACHE/suite" "$CACHE/suite" -- BASE="${TAG[suite-base]}"
    ;;
  *) refuse "no such image: $1 (there are: ${ALL[*]})" ;;
  esac
}

need() { [[ -v TAG[$1] ]] || one "$1"; }

created=$(cat "$CACHE/nodes/$NAME/created" 2>/dev/null || true)
for wanted in "${ONLY[@]}"; do
  need "$wanted"
  [[ -n $BUILD_ONLY ]] || once "hand over $wanted to $NAME" "${TAG[$wanted]} $created" hand_over "${TAG[$wanted]}"
done
# The newest tag of every image, those of earlier runs included.
touch "$CACHE/images.env"
tags=$(for built in "${!TAG[@]}"; do echo "$built=${TAG[$built]}"; done && cat "$CACHE/images.env")
sort --stable --unique --field-separator== --key=1,1 <<<"$tags" >"$CACHE/images.env"
say "images and their tags: $CACHE/images.env"
