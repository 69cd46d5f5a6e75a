#!/bin/sh
# Holds the connection of this machine to a bandwidth, out of and into it, where its cloud does not. At each boot.
set -u
# shellcheck source=/dev/null
. /etc/dynamo/worker.conf
exec >> /var/log/dynamo-worker.log 2>&1
rate=${DYNAMO_BANDWIDTH}bit
# Bytes that may pass at once: 20 ms of it, and never less than a few full packets.
burst=$((DYNAMO_BANDWIDTH / 400))
[ "$burst" -ge 32768 ] || burst=32768
device=$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
shape() {
  tc qdisc replace dev "$device" root tbf rate "$rate" burst "$burst" latency 50ms || return
  ip link show dynamo-in > /dev/null 2>&1 || ip link add dynamo-in type ifb || return
  ip link set dynamo-in up || return
  tc qdisc replace dev dynamo-in root tbf rate "$rate" burst "$burst" latency 50ms || return
  tc qdisc show dev "$device" | grep -q ingress || tc qdisc add dev "$device" handle ffff: ingress || return
  tc filter replace dev "$device" parent ffff: protocol all prio 1 handle 800::800 u32 match u32 0 0 \
    action mirred egress redirect dev dynamo-in
}
if shape; then
  echo "bandwidth: $device is held to $rate/s, both ways"
else
  echo "bandwidth: $device could not be held to $rate/s: this needs tc (iproute2), sch_tbf, ifb and act_mirred"
fi
