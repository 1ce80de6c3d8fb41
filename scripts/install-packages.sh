#!/usr/bin/env bash
# Installs the Debian packages of the local target and leaves no service of theirs enabled or running.
#
# Debian starts a server as soon as its package is installed. A policy-rc.d that answers 101 forbids that while this
# runs; units that the new packages enabled are disabled again. Packages that are there already are left as they are.
set -euo pipefail

wanted=(postgresql pgpool2 redis-server haproxy nftables iproute2 util-linux jq curl python3-venv)
# Only the findings on metrics need these: what the usual exporters really emit.
wanted+=(prometheus-postgres-exporter prometheus-redis-exporter)
policy=/usr/sbin/policy-rc.d

missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

# repmgr is packaged for each PostgreSQL version: take the one of this Debian's PostgreSQL.
repmgr_package() {
  local version
  version=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1)
  echo "postgresql-${version:-15}-repmgr"
}

as_root() {
  if [[ $EUID == 0 ]]; then "$@"; else sudo "$@"; fi
}

forbid_starting() {
  [[ ! -e $policy ]] || return 0 # somebody's own policy: it stays, and units are disabled below in any case
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f "$policy"' EXIT
}

# Debian's postgresql would also create a cluster of its own.
forbid_cluster() {
  as_root mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.d/chaosblink.conf >/dev/null
}

disable_units() {
  command -v systemctl >/dev/null || return 0
  local unit
  for unit in postgresql pgpool2 redis-server haproxy nftables prometheus-postgres-exporter prometheus-redis-exporter; do
    if [[ " $* " == *" $unit "* ]]; then
      as_root systemctl disable --quiet --now "$unit" 2>/dev/null || true
    fi
  done
}

main() {
  local needed repmgr=present
  mapfile -t needed < <(missing "${wanted[@]}")
  compgen -G '/usr/lib/postgresql/*/bin/repmgr' >/dev/null || repmgr=missing
  [[ ${#needed[@]} -gt 0 || $repmgr == missing ]] || return 0
  [[ $repmgr == present ]] || needed+=("$(repmgr_package)")
  if [[ $EUID != 0 ]] && ! command -v sudo >/dev/null; then
    echo "missing packages: as root, apt-get install ${needed[*]}" >&2
    exit 2
  fi
  as_root apt-get update -qq
  # A machine that never asked its registry does not know yet which PostgreSQL its Debian has.
  [[ $repmgr == present ]] || needed[-1]=$(repmgr_package)
  echo "installing: ${needed[*]}"
  forbid_starting
  forbid_cluster
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${needed[@]}" >/dev/null
  disable_units "${needed[@]}"
}

main
