# What is the same on every OpenBao server; start.sh adds $DATA/instance.hcl with addresses, paths and peers.
ui = true

# Standby nodes answer reads from their own copy, so that every replica can be looked at after a fault. A client that
# needs to read its own writes asks the active node (the edge routes there) or sends X-Vault-Index.
disable_standby_reads = false

# A supervisor restarts a server that lost its token or storage; a short default keeps forgotten tokens short.
default_lease_ttl = "1h"
max_lease_ttl = "768h"

telemetry {
  # Long enough for a scrape interval of a minute to meet every gauge of the last hour.
  prometheus_retention_time = "1h"
  disable_hostname = true
}

# OpenBao makes audit devices from its configuration only, and compares it with what Raft holds on every unseal: a
# server whose path differs by one letter never gets past "read-only post-unseal setup" and can never lead. Hence a
# path relative to the working directory ($DATA), the same text on every server.
audit "file" "file" {
  options {
    file_path = "audit.log"
    mode = "0600"
  }
}
enable_response_header_raft_node_id = true
