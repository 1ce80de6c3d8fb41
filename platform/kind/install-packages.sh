#!/bin/bash
# Installs packages.txt without starting or enabling any service on this machine.
set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

POLICY=/usr/sbin/policy-rc.d # Debian asks it before it starts a service; 101 says no
enabled() { systemctl list-unit-files --state=enabled --no-legend 2>/dev/null | cut -d' ' -f1 | sort || true; }
refusal() { "$POLICY" docker-registry start >/dev/null 2>&1 || echo $?; }

if [[ ! -e $POLICY ]]; then
  trap 'rm -f "$POLICY"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
elif [[ $(refusal) != 101 ]]; then # images of containers bring one that says no
  echo "$POLICY lets packages start services: make it answer 101 and run this again" >&2
  exit 2
fi
before=$(enabled)
apt-get update --quiet=2
xargs apt-get install --quiet --yes --no-install-recommends <packages.txt
comm -13 <(echo "$before") <(enabled) | xargs --no-run-if-empty systemctl disable
