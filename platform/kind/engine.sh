# podman with its own store below the cache directory: what it holds is neither seen nor touched by the machine's own.
# shellcheck shell=bash
# Sourced after step.sh.

((UID == 0)) || refuse "without Docker's stock images podman is needed, and it needs root: run this as root"
need_programs podman runc mmdebstrap

RUN=/run/chaosblink-kind
NETWORK=chaosblink
BASE=blinkchamber.test/debian:$DEBIAN
NODE_BASE=blinkchamber.test/node-base:$DEBIAN
NODE_IMAGE=blinkchamber.test/node:v$KUBERNETES
export BASE NODE_BASE NODE_IMAGE
export CONTAINERS_CONF=$CACHE/containers.conf CONTAINERS_STORAGE_CONF=$CACHE/storage.conf
export KIND_EXPERIMENTAL_PROVIDER=podman KIND_EXPERIMENTAL_PODMAN_NETWORK=$NETWORK

mkdir -p "$RUN" "$CACHE/networks"
# A container engine may not raise its limits without CAP_SYS_RESOURCE, so they are set below the usual hard limit.
cat >"$CONTAINERS_CONF" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
lock_type = "file"
tmp_dir = "$RUN/libpod"
[network]
network_backend = "netavark"
network_config_dir = "$CACHE/networks"
CONF
cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "overlay"
graphroot = "$CACHE/podman"
runroot = "$RUN/storage"
CONF

# build TAG CONTEXT CONTAINERFILE ARGUMENT...: an image by podman; package managers inside reach what the host reaches.
build() {
  local tag=$1 context=$2 file=$3 certificates=/etc/ssl/certs/ca-certificates.crt
  shift 3
  podman build --quiet --network host --layers=false --volume "$certificates:$certificates:ro" \
    --tag "$tag" --file "$file" "$@" "$context"
}

# podman leaves its store mounted on itself, and what it only needs while something runs.
engine_down() {
  if mountpoint -q "$CACHE/podman/overlay"; then umount "$CACHE/podman/overlay"; fi
  rm -rf "$RUN"
  # its control groups; those of another podman are in use, and stay
  find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null || true
}
