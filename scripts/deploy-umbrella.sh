#!/usr/bin/env bash
# Deploys BlinkChamber on a Kubernetes cluster: install | upgrade | rollback | uninstall | status | test; --help says more.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# chaosblink is a library of this checkout: whichever environment has it installed from here.
for python in "$root/.tox/suite/bin/python" "$root/.venv/bin/python" python3; do
  if "$python" -c 'import chaosblink, helm_python, kubernetes' 2>/dev/null; then
    exec "$python" -m chaosblink.targets.kubernetes.deploy "$@"
  fi
done
echo "no Python has chaosblink: python3 -m venv .venv && .venv/bin/pip install -e ." >&2
exit 2
