#!/bin/sh
# with-hosts.sh FILE COMMAND...: runs COMMAND with FILE in the place of /etc/hosts; call it in a mount namespace of its own.
set -eu
mount --bind "$1" /etc/hosts
shift
exec "$@"
