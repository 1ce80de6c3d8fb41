# Whoever answers for Vault: backs it up, and with enough recovery shares draws a root token for what nobody else may.
path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}

path "sys/generate-root-token/*" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}
