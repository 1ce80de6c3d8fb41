# Reads what belongs to redis. A glob ending in /* does not cover the path itself, so both are named.
path "secret/data/redis" {
  capabilities = ["read"]
}

path "secret/data/redis/*" {
  capabilities = ["read"]
}
