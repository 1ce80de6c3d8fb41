# Reads what belongs to postgres. A glob ending in /* does not cover the path itself, so both are named.
path "secret/data/postgres" {
  capabilities = ["read"]
}

path "secret/data/postgres/*" {
  capabilities = ["read"]
}
