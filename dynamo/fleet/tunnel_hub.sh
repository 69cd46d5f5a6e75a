#!/bin/sh
# The hub's end of a tunnel, on the central manager, as root. What it needs lies beside it: DEVICE.peers, who may come
# through, and DEVICE.nft, what they may reach. The key is made here, and never leaves this machine.
#   hub.sh up DEVICE PORT ADDRESS RATE BURST   has it so, made or changed, and prints its public key; RATE 0 is no bound
#   hub.sh down DEVICE                         takes it away, with its key
#   hub.sh show                                prints each device, and what it is shaped to
set -eu
umask 077
place=$(dirname "$0")
# Of what waits longer in front of the bandwidth, the newest is dropped.
latency=50ms

fail() { echo "$*" >&2; exit 1; }

up() {
  key="$place/$device.key"
  # What has no whole key yet was cut off in its making.
  [ -s "$key" ] || { wg genkey > "$key.new" && mv "$key.new" "$key"; }
  if ! ip link show "$device" > /dev/null 2>&1; then
    ip link add "$device" type wireguard 2> /dev/null || wireguard-go "$device" > /dev/null 2>&1 < /dev/null \
      || fail "no tunnel can be made here: it takes the kernel's wireguard, or wireguard-go with /dev/net/tun"
  fi
  { printf '[Interface]\nListenPort = %s\nPrivateKey = %s\n' "$port" "$(cat "$key")"; cat "$place/$device.peers"; } \
    > "$place/$device.conf"
  # The filter stands before anybody comes through.
  nft -f "$place/$device.nft"
  wg syncconf "$device" "$place/$device.conf"
  rm -f "$place/$device.conf"
  ip address replace "$address" dev "$device"
  ip link set "$device" up
  shape
  wg pubkey < "$key"
}

# All that goes through is held to one rate: out of here by a bucket at the device, in by one that it is led through.
shape() {
  within="ifb-$device"
  if [ "$rate" = 0 ]; then
    tc qdisc del dev "$device" root 2> /dev/null || :
    tc qdisc del dev "$device" ingress 2> /dev/null || :
    ip link del "$within" 2> /dev/null || :
    return
  fi
  tc qdisc replace dev "$device" root tbf rate "${rate}bit" burst "$burst" latency "$latency"
  ip link show "$within" > /dev/null 2>&1 || ip link add "$within" type ifb
  ip link set "$within" up
  tc qdisc replace dev "$within" root tbf rate "${rate}bit" burst "$burst" latency "$latency"
  tc qdisc show dev "$device" | grep -q ingress || tc qdisc add dev "$device" handle ffff: ingress
  tc filter replace dev "$device" parent ffff: protocol all prio 1 handle 800::800 u32 match u32 0 0 \
    action mirred egress redirect dev "$within"
}

down() {
  ip link del "$device" 2> /dev/null || :
  ip link del "ifb-$device" 2> /dev/null || :
  nft delete table inet "$device" 2> /dev/null || :
  rm -f "$place/$device".*
  ! ip link show "$device" > /dev/null 2>&1 || fail "the device $device is still there"
}

show() {
  for one in "$place"/*.key; do
    [ -e "$one" ] || continue
    device=$(basename "$one" .key)
    rate=$(tc qdisc show dev "$device" root 2> /dev/null | sed -n 's/.* rate \([^ ]*\).*/\1/p')
    ! ip link show "$device" > /dev/null 2>&1 || echo "$device ${rate:-0}"
  done
}

verb=$1
device=${2:-}
case $verb in
  up)
    port=$3 address=$4 rate=$5 burst=$6
    up
    ;;
  down) down ;;
  show) show ;;
  *) fail "usage: hub.sh up|down|show" ;;
esac
