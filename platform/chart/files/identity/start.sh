#!/bin/sh
# Starts one identity node: fetches its secrets from Vault, then becomes the server.
#
# Reads: INSTANCE ADDRESS DATA, DATABASE_HOST REDIS_HOST and what else the server's settings name.
# Secrets come from Vault through its agent: VAULT_ADDR, $TLS/ca.crt, $SECRETS/approle-role-id,
# $SECRETS/approle-secret-id; BAO names the agent's program. With VAULT_AGENT=external an injector has already put
# the files into VAULT_SECRETS_DIR. Without Vault no node starts: nothing of an earlier life is reused.
set -eu
umask 077

say() { echo "identity start: $*" >&2; }

child=
trap 'if [ -n "$child" ]; then kill "$child" 2>/dev/null && wait "$child" || :; fi; exit 143' TERM INT

# One template of the agent: file name, path in Vault, key.
template() {
    cat <<EOF
template {
  contents             = "{{ with secret \"secret/data/$2\" }}{{ .Data.data.$3 }}{{ end }}"
  destination          = "$VAULT_SECRETS_DIR/$1"
  perms                = "0600"
  error_on_missing_key = true
}
EOF
}

agent_configuration() {
    cat <<EOF
exit_after_auth = true
vault {
  address = "$VAULT_ADDR"
  ca_cert = "$TLS/ca.crt"
  retry { num_retries = -1 }
}
auto_auth {
  method "approle" {
    min_backoff   = "500ms"
    max_backoff   = "2s"
    exit_on_err   = false
    config = {
      role_id_file_path                   = "$SECRETS/approle-role-id"
      secret_id_file_path                 = "$SECRETS/approle-secret-id"
      remove_secret_id_file_after_reading = false
    }
  }
}
template_config { exit_on_retry_failure = true }
EOF
    template database-password postgres/zitadel password
    template redis-password redis/cache password
    template masterkey zitadel/masterkey value
    template login-client-token zitadel/login-client token
    template user-password zitadel/users password
}

# The agent waits for Vault by itself; it ends early when a secret is missing or refused, and is then run again.
fetch_with_agent() {
    : "${VAULT_ADDR:?is not set}" "${TLS:?is not set}" "${SECRETS:?is not set}"
    VAULT_SECRETS_DIR="$DATA/secrets"
    rm -rf "$VAULT_SECRETS_DIR"
    mkdir -p "$VAULT_SECRETS_DIR"
    agent_configuration >"$DATA/agent.hcl"
    say "waiting for secrets from Vault at $VAULT_ADDR (agent's log: agent.log)"
    while :; do
        "${BAO:-bao}" agent -config="$DATA/agent.hcl" -log-level=warn >"$DATA/agent.log" 2>&1 &
        child=$!
        if wait "$child"; then break; fi
        sleep 1 &
        child=$!
        wait "$child" || :
    done
    child=
}

wait_for_injected_files() {
    : "${VAULT_SECRETS_DIR:?is not set}"
    for name in database-password redis-password masterkey login-client-token user-password; do
        [ -s "$VAULT_SECRETS_DIR/$name" ] || say "waiting for $name in $VAULT_SECRETS_DIR"
        until [ -s "$VAULT_SECRETS_DIR/$name" ]; do
            sleep 1 &
            child=$!
            wait "$child" || :
        done
    done
    child=
}

if [ "${VAULT_AGENT:-}" = external ]; then wait_for_injected_files; else fetch_with_agent; fi

export DATABASE_PASSWORD_FILE="$VAULT_SECRETS_DIR/database-password"
export REDIS_PASSWORD_FILE="$VAULT_SECRETS_DIR/redis-password"
export MASTERKEY_FILE="$VAULT_SECRETS_DIR/masterkey"
export LOGIN_CLIENT_TOKEN_FILE="$VAULT_SECRETS_DIR/login-client-token"
export USER_PASSWORD_FILE="$VAULT_SECRETS_DIR/user-password"
say "secrets are here, starting ${INSTANCE:-identity}"
exec "${PYTHON:-python3}" -m zitadel_standin
