# The node network and what keeps its packets on this machine. Sourced after engine.sh.
# shellcheck shell=bash

ALL=198.19.0.0/16 # nodes, pods and services

# Settings of the kernel that nodes need; what they were is kept, and `network_down` puts it back.
declare -A SETTINGS=([fs.inotify.max_user_instances]=1024 [net.ipv4.ip_forward]=1)

# Tables of the packet filter podman's network program adds its chains to, and never takes them back.
FILTER_TABLES=(nat filter)

absent_tables() {
  local table
  for table in "${FILTER_TABLES[@]}"; do nft list table ip "$table" >/dev/null 2>&1 || echo "$table"; done
}

# Tables ($@) that were not there before us go, if nobody else has put a rule into them since.
remove_tables() {
  local table
  for table in "$@"; do
    if [[ -z $(iptables-save --table "$table" | grep '^-A' | grep -v NETAVARK) ]]; then
      nft delete table ip "$table" 2>/dev/null || true
    fi
  done
}

network_up() {
  if podman network exists "$NETWORK" && [[ -f $CACHE/settings ]]; then return; fi
  absent_tables >"$CACHE/tables-made"
  sysctl "${!SETTINGS[@]}" | tr -d ' ' >"$CACHE/settings"
  # kind mounts it, and a machine whose kernel is in one piece has none
  [[ -d /lib/modules ]] || { mkdir /lib/modules && touch "$CACHE/modules-made"; }
  local setting
  for setting in "${!SETTINGS[@]}"; do sysctl --quiet "$setting=${SETTINGS[$setting]}"; done
  # Nothing for a node, pod or service may leave by the default route while their own routes do not stand (yet).
  ip route replace blackhole "$ALL" metric 9999
  nft -f - <<RULES
table ip chaosblink-kind
delete table ip chaosblink-kind
table ip chaosblink-kind {
  chain stay {
    type filter hook forward priority filter - 1; policy accept;
    ip saddr $ALL ip daddr != $ALL reject comment "no packet of the cluster leaves this machine"
    ip daddr $ALL ip saddr != $ALL reject
  }
}
RULES
  # kind would give the network a range of its own choosing.
  podman network exists "$NETWORK" ||
    podman network create --subnet "$NODE_SUBNET" --gateway "$NODE_GATEWAY" "$NETWORK" >/dev/null
}

# The host reaches every pod by its own address: a port-forward takes longer than what is to be measured.
routes_up() {
  local share address
  kubectl --context "kind-$1" get nodes --output json | jq --raw-output '.items[] | [.spec.podCIDR,
    (.status.addresses[] | select(.type == "InternalIP").address)] | join(" ")' |
    while read -r share address; do ip route replace "$share" via "$address"; done
}

# Routes through the network's bridge go with the bridge.
network_down() {
  podman network rm --force "$NETWORK" >/dev/null || true
  nft delete table ip chaosblink-kind 2>/dev/null || true
  ip route del blackhole "$ALL" metric 9999 2>/dev/null || true
  if [[ -f $CACHE/settings ]]; then sysctl --quiet --load="$CACHE/settings"; fi
  if [[ -f $CACHE/modules-made ]]; then rmdir /lib/modules || true; fi
  # shellcheck disable=SC2046 # one word a table
  if [[ -f $CACHE/tables-made ]]; then remove_tables $(<"$CACHE/tables-made"); fi
  rm -f "$CACHE"/{settings,modules-made,tables-made}
}
