# Reads what belongs to zitadel. A glob ending in /* does not cover the path itself, so both are named.
path "secret/data/zitadel" {
  capabilities = ["read"]
}

path "secret/data/zitadel/*" {
  capabilities = ["read"]
}
