#!/bin/sh
# The dead-man switch of a worker. It ends the machine when its lifetime is over, when the pool has not been heard of for
# too long, or when HTCondor has ended (which it does itself when no job came: STARTD_NOCLAIM_SHUTDOWN). It needs nobody:
# where the controller of the fleet is dead, this is what stops the machine from costing money.
#   deadman.sh check   looks once (by a timer of systemd)
#   deadman.sh watch   looks again and again (where there is no systemd)
set -u
# A worker that is no machine of its own has all below a folder.
root=${DYNAMO_ROOT:-}
# shellcheck source=/dev/null
. "$root/etc/dynamo/worker.conf"
state=$root/var/lib/dynamo-worker
mkdir -p "$state"

say() { echo "dead-man switch: $*"; }

# Seconds that the machine was up, summed over reboots. The clock of the day, which may be set, is not asked.
live() {
  up=$(cut -d . -f 1 /proc/uptime)
  lived=0
  last=$up
  [ ! -s "$state/lived" ] || read -r lived last < "$state/lived"
  [ "$up" -ge "$last" ] || last=0
  lived=$((lived + up - last))
  echo "$lived $up" > "$state/lived.new" && mv "$state/lived.new" "$state/lived"
}

# The pool knows this worker, and heard of it just now: by the pool's own clock.
known() {
  # shellcheck disable=SC2086  # empty for a worker, -schedd for an access point
  found=$(timeout 20 condor_status $DYNAMO_ADS -limit 1 -af Name -constraint \
    "DynamoToken == \"$DYNAMO_ORDER\" && time() - LastHeardFrom < 180" 2> /dev/null)
  [ -n "$found" ]
}

# The number of HTCondor's master, where it runs; others' masters on the same machine are none of a worker's business.
master() {
  if [ -z "$root" ]; then
    pgrep -o -x condor_master
  else
    read -r one < "$state/master" && grep -qzxF "DYNAMO_ROOT=$root" "/proc/$one/environ" 2> /dev/null && echo "$one"
  fi
}

# No new job; those that run have a while to end; then the machine is off.
end() {
  say "$1: no new jobs, and off"
  if one=$(master); then
    kill -TERM "$one"
    left=$DYNAMO_GRACE
    while master > /dev/null && [ "$left" -gt 0 ]; do
      sleep 1
      left=$((left - 1))
    done
    if one=$(master); then
      say "jobs were still running after $DYNAMO_GRACE s"
      kill -QUIT "$one"
      sleep 3
    fi
  fi
  poweroff || poweroff -f
  exit 0
}

check() {
  live
  heard=0
  [ ! -s "$state/heard" ] || read -r heard < "$state/heard"
  [ "$lived" -lt "$DYNAMO_LIFETIME" ] || end "this machine is $lived s old, and was to live $DYNAMO_LIFETIME s"
  silence=$DYNAMO_SILENT
  if [ -e "$state/joined" ]; then
    silence=$DYNAMO_PATIENT
    master > /dev/null || end "HTCondor has ended, as it does without a job for long enough"
    if known; then
      heard=$lived
      echo "$heard" > "$state/heard"
    fi
  fi
  silent=$((lived - heard))
  [ "$silent" -lt "$silence" ] || end "no contact with the pool for $silent s"
}

case ${1:-} in
  check) check ;;
  watch)
    while :; do
      check
      sleep "$DYNAMO_CHECK"
    done
    ;;
  *)
    echo "usage: deadman.sh check|watch" >&2
    exit 2
    ;;
esac
