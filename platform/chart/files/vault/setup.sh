#!/bin/sh
# Sets up a fresh OpenBao cluster: initialize, policies, roles, the platform's secrets; revokes the root token at last.
#
# Environment: PEERS SECRETS FILES TLS (docs/architecture.md),
# SETUP_DIR (0700; keeps init.json and the role files, all 0600), SETUP_WITHIN (deadline of each wait in s, 60),
# SETUP_AUTH (how the application logs in: approle, or kubernetes; the suite always uses an AppRole), VAULT_AUTO_UNSEAL
# (true or false, as given to start.sh), SETUP_KEEP (a program that is given the names of files of SETUP_DIR that must
# not be lost, where SETUP_DIR itself may be); for kubernetes also K8S_HOST (https://kubernetes.default.svc) and
# APP_SERVICE_ACCOUNT (namespace/name: identity/zitadel).
# Needs curl and jq: one start of the bao client costs as much processor time as this whole script.
# A second run changes nothing and exits 0; a run that was cut short is taken up where it stopped.
set -eu
umask 077

INIT="$SETUP_DIR/init.json"
DONE="$SETUP_DIR/done"
TOKEN_HEADER="$SETUP_DIR/token-header"

say() {
  echo "setup.sh: $*"
}

fail() {
  echo "setup.sh: $*" >&2
  exit 1
}

keep() {
  [ -z "${SETUP_KEEP:-}" ] || "$SETUP_KEEP" "$@"
}

# until_true WHAT COMMAND...: repeats the command until it succeeds; fails after SETUP_WITHIN seconds.
until_true() {
  what=$1
  shift
  deadline=$(($(date +%s) + ${SETUP_WITHIN:-60}))
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || fail "$what: not within ${SETUP_WITHIN:-60} s"
    sleep 0.2
  done
}

# ask NODE METHOD PATH [CURL ARGUMENTS]: the answer's body; fails on a status of 400 and above, with the errors on
# stderr. Token and bodies go through files and stdin, since arguments stand in the process list.
ask() {
  node=$1 method=$2 path=$3
  shift 3
  if ! answer=$(curl -sS --fail-with-body --max-time 5 --cacert "$TLS/ca.crt" -X "$method" "$@" \
    "https://$node:8200/v1/$path"); then
    echo "$method $path: $(echo "$answer" | jq -c .errors 2>/dev/null)" >&2
    return 1
  fi
  echo "$answer"
}

# api METHOD PATH [CURL ARGUMENTS]: with the root token, at the leader: a standby answers reads from its own copy, which
# may be a moment behind.
api() {
  ask "$LEADER" "$@" -H "@$TOKEN_HEADER"
}

# The body of a request, from stdin.
api_write() {
  api POST "$1" -d @- >/dev/null
}

initialized() {
  ask "$1" GET sys/seal-status | jq -e .initialized
}

unsealed() {
  ask "$1" GET sys/seal-status | jq -e '.initialized and (.sealed | not)'
}

# Recovery shares with auto-unseal, key shares without; five, of which three are needed, in both cases.
initialize() {
  if [ "${VAULT_AUTO_UNSEAL:-true}" = true ]; then
    shares='{"recovery_shares": 5, "recovery_threshold": 3}'
  else
    shares='{"secret_shares": 5, "secret_threshold": 3}'
  fi
  ask "$1" PUT sys/init --max-time 30 -d "$shares" >"$INIT.part"
  mv "$INIT.part" "$INIT"
  keep init.json
  say "initialized; the shares are in $INIT"
}

unseal() {
  unsealed "$1" && return 0
  for share in 0 1 2; do
    jq "{key: .keys_base64[$share]}" "$INIT" | ask "$1" PUT sys/unseal -d @-
  done
  unsealed "$1"
}

wait_until_unsealed() {
  for peer in "$@"; do
    if [ "${VAULT_AUTO_UNSEAL:-true}" = true ]; then
      until_true "${peer%%=*} unseals itself" unsealed "${peer#*=}"
    else
      until_true "${peer%%=*} is unsealed" unseal "${peer#*=}"
    fi
  done
}

# The node among PEERS that says of itself that it leads.
find_leader() {
  for peer in $PEERS; do
    LEADER=${peer#*=}
    ask "$LEADER" GET sys/leader | jq -e .is_self && return 0
  done
  return 1
}

configure_autopilot() {
  # A joined node votes after 1 s of health (default 10 s); nobody is removed because it is dead for a while.
  echo '{"server_stabilization_time": "1s", "cleanup_dead_servers": false}' |
    api_write sys/storage/raft/autopilot/configuration
}

# auth METHOD
auth() {
  api GET sys/auth | jq -e --arg path "$1/" '.data[$path]' >/dev/null ||
    jq -n --arg type "$1" '{$type}' | api_write "sys/auth/$1"
}

enable_engines() {
  api GET sys/mounts | jq -e '.data["secret/"]' >/dev/null ||
    echo '{"type": "kv", "options": {"version": "2"}}' | api_write sys/mounts/secret
  auth approle
  [ "$SETUP_AUTH" = approle ] || auth "$SETUP_AUTH"
}

write_policies() {
  for policy in postgres zitadel redis chaos operator; do
    jq -n --rawfile policy "$FILES/policy-$policy.hcl" '{$policy}' | api_write "sys/policies/acl/$policy"
  done
}

# role METHOD NAME POLICIES TTL [JSON]: tokens of a login have no parent, so nothing but their TTL ends them.
role() {
  more=${5:-}
  jq -n --arg policies "$3" --arg ttl "$4" --argjson more "${more:-null}" '
    {token_policies: $policies, token_ttl: $ttl, token_max_ttl: "768h"} + $more' | api_write "auth/$1/role/$2"
}

# approle NAME POLICIES TTL: writes the two halves of a login into files of SETUP_DIR.
approle() {
  role approle "$1" "$2" "$3"
  api GET "auth/approle/role/$1/role-id" | jq -rj .data.role_id >"$SETUP_DIR/$1-role-id"
  api POST "auth/approle/role/$1/secret-id" | jq -rj .data.secret_id >"$SETUP_DIR/$1-secret-id"
  keep "$1-role-id" "$1-secret-id"
}

# The servers ask the API server with the token and the CA of their own service account.
kubernetes_role() {
  account=${APP_SERVICE_ACCOUNT:-identity/zitadel}
  jq -n --arg host "${K8S_HOST:-https://kubernetes.default.svc}" '{kubernetes_host: $host}' |
    api_write auth/kubernetes/config
  role kubernetes "$1" "$2" "$3" "$(jq -n --arg account "$account" '$account / "/" |
    {bound_service_account_namespaces: .[0], bound_service_account_names: .[1]}')"
}

write_roles() {
  if [ "$SETUP_AUTH" = kubernetes ]; then
    kubernetes_role app-role zitadel,postgres,redis 1h
  else
    approle zitadel zitadel,postgres,redis 1h
  fi
  approle chaos chaos 24h
  approle operator operator 1h
}

# put PATH KEY FILE: one secret.
put() {
  jq -n --arg key "$2" --rawfile value "$SECRETS/$3" '{data: {($key): ($value | rtrimstr("\n"))}}' |
    api_write "secret/data/$1"
}

write_secrets() {
  for file in zitadel-password redis-password masterkey login-client-token user-password; do
    [ -s "$SECRETS/$file" ] || fail "$SECRETS/$file is missing or empty"
  done
  # kv-v2 prepares its storage in the background after it is enabled and refuses writes until then.
  until_true "kv-v2 accepts writes" put postgres/zitadel password zitadel-password
  put redis/cache password redis-password
  put zitadel/masterkey value masterkey
  put zitadel/login-client token login-client-token
  put zitadel/users password user-password
}

all_vote() {
  api GET sys/storage/raft/autopilot/state |
    jq -e --arg peers "$PEERS" '.data.healthy and (.data.voters | length) == ($peers | split(" ") | length)'
}

forget_root_token() {
  rm -f "$TOKEN_HEADER"
  jq 'del(.root_token)' "$INIT" >"$INIT.part"
  mv "$INIT.part" "$INIT"
  date -u +%FT%TZ >"$DONE"
  keep init.json "done"
}

set_up() {
  jq -er '"X-Vault-Token: \(.root_token)"' "$INIT" >"$TOKEN_HEADER"
  if api GET auth/token/lookup-self 2>&1 >/dev/null | grep -q "permission denied"; then
    forget_root_token
    say "the root token was revoked before, which is the last step"
    return
  fi
  configure_autopilot
  enable_engines
  write_policies
  # Whoever can log in finds the secrets there.
  write_secrets
  write_roles
  # shellcheck disable=SC2086 # one argument a peer
  wait_until_unsealed $PEERS
  until_true "every node is a voter" all_vote
  api POST auth/token/revoke-self >/dev/null
  forget_root_token
  say "the root token is revoked"
}

SETUP_AUTH=${SETUP_AUTH:-approle}
mkdir -p "$SETUP_DIR"
trap 'rm -f "$TOKEN_HEADER"' EXIT
first=${PEERS%% *}
# Only the first node is ever initialized: two would make two clusters.
until_true "${first%%=*} answers" ask "${first#*=}" GET sys/seal-status
if initialized "${first#*=}" >/dev/null; then
  [ ! -e "$DONE" ] || { say "nothing to do" && exit 0; }
  [ -s "$INIT" ] || fail "initialized by someone else ($INIT is missing): set it up by hand or start from empty data"
else
  initialize "${first#*=}"
fi
wait_until_unsealed "$first"
until_true "a leader is elected" find_leader
set_up
