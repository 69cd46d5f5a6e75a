#!/bin/sh
# This machine's end of a tunnel to its pool. The key is made here, and never leaves it; what else it takes is in
# HTCondor's configuration, as it came when this machine joined.
#   tunnel.sh key   prints the public key
#   tunnel.sh up    has the tunnel
set -eu
umask 077
key=/var/lib/dynamo-worker/tunnel.key
device=dynamo0

say() { echo "tunnel: $*"; }
told() { condor_config_val "DYNAMO_TUNNEL_$1"; }

case ${1:-} in
  key)
    [ -s "$key" ] || { wg genkey > "$key.new" && mv "$key.new" "$key"; }
    wg pubkey < "$key"
    ;;
  up)
    ip link show "$device" > /dev/null 2>&1 || ip link add "$device" type wireguard 2> /dev/null \
      || wireguard-go "$device" > /dev/null 2>&1 < /dev/null
    allowed=$(told ALLOWED)
    wg set "$device" private-key "$key" peer "$(told HUB)" endpoint "$(told ENDPOINT)" \
      allowed-ips "$(echo "$allowed" | tr ' ' ',')" persistent-keepalive 25
    ip address replace "$(told ADDRESS)" dev "$device"
    ip link set "$device" up
    for there in $allowed; do
      ip route replace "$there" dev "$device"
    done
    say "it leads to $(told ENDPOINT)"
    ;;
  *)
    echo "usage: tunnel.sh key|up" >&2
    exit 2
    ;;
esac
