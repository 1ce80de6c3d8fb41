#!/bin/bash
# The base image: Debian as small as it comes, made on the spot from its packages.
# shellcheck source=platform/kind/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"
# shellcheck source=platform/kind/engine.sh
source "$KIND_DIR/engine.sh"

mmdebstrap --variant=minbase --include=ca-certificates \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' "$DEBIAN" "$CACHE/base.tar"
podman import "$CACHE/base.tar" "$BASE"
rm "$CACHE/base.tar"
