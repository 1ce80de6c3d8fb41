# The suite's own writers and readers: one folder of their own and nothing of the platform's.
path "secret/data/chaos/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "secret/metadata/chaos/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Who leads and who votes: the roles' prober asks this of the server itself.
path "sys/storage/raft/autopilot/state" {
  capabilities = ["read"]
}

path "sys/storage/raft/configuration" {
  capabilities = ["read"]
}
