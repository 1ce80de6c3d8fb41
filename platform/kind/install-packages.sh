#!/bin/bash
# Installs packages.txt without starting or enabling any service on this machine.
set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

POLICY=/usr/sbin/policy-rc.d # Debian asks it before it starts a service; 101 says no
enabled() { systemctl list-unit-files --state=enabled --no-legend 2>/dev/null | cut -d' ' -f1 | sort || true; }

[[ ! -e $POLICY ]] || { echo "$POLICY exists: packages of this machine are managed by somebody else" >&2 && exit 2; }
before=$(enabled)
trap 'rm -f "$POLICY"' EXIT
printf '#!/bin/sh\nexit 101\n' >"$POLICY"
chmod 755 "$POLICY"
apt-get update --quiet=2
xargs apt-get install --quiet --yes --no-install-recommends <packages.txt
comm -13 <(echo "$before") <(enabled) | xargs --no-run-if-empty systemctl disable
