#!/bin/sh
# Have this machine join its pool: its join token, good once and for a short time, is exchanged for HTCondor's
# configuration and a token with which it can offer its slots, and nothing else. Then HTCondor is started.
set -u
# A worker that is no machine of its own (the provider "local") has all below a folder.
root=${DYNAMO_ROOT:-}
# shellcheck source=/dev/null
. "$root/etc/dynamo/worker.conf"
umask 077
state=$root/var/lib/dynamo-worker
token=$root/etc/dynamo/join.token
call=$root/run/dynamo-join.curl
mkdir -p "$state"

say() { echo "join: $*"; }

# Who lost the answer may ask again, and nobody else: he knows this number, which never leaves the machine otherwise.
[ -s "$state/nonce" ] || od -An -N 32 -tx1 /dev/urandom | tr -d ' \n' > "$state/nonce"

# What is secret is in a file, not on a command line, which every user of the machine can read.
write_call() {
  printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token")"
  printf 'data-urlencode = "worker=%s"\n' "$DYNAMO_WORKER"
  printf 'data-urlencode = "order=%s"\n' "$DYNAMO_ORDER"
  printf 'data-urlencode = "nonce=%s"\n' "$(cat "$state/nonce")"
  [ -z "${DYNAMO_TUNNEL:-}" ] || printf 'data-urlencode = "public=%s"\n' "$(/usr/local/sbin/dynamo-tunnel key)"
}

exchange() {
  write_call > "$call"
  pause=1
  while :; do
    rm -f "$state/answer"
    code=$(curl --silent --config "$call" --cacert "$root/etc/dynamo/join.pem" --proto '=https' --max-time 30 \
      --max-filesize 65536 --output "$state/answer" --write-out '%{http_code}' "$DYNAMO_JOIN_URL") || code="000 curl $?"
    case $code in
      200) break ;;
      4?? )
        if [ "$code" != 429 ]; then
          say "the pool refuses this machine: $(head -c 500 "$state/answer")"
          rm -f "$token" "$call"
          poweroff || poweroff -f
          exit 1
        fi
        ;;
    esac
    say "no answer that can be used ($code): again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
  rm -f "$token" "$call"
}

# The first line is the token; of an access point also the key that its queue is read by, and a token with which who
# submits there can ask what the pool has. All others are the configuration. What another pool's package laid down goes.
settle() {
  conf=$root/etc/condor
  install -d -m 0755 "$conf/config.d"
  install -d -m 0700 "$conf/tokens.d"
  rm -f "$conf"/config.d/* "$conf"/tokens.d/*
  read -r pool queue asking < "$state/answer"
  echo "$pool" > "$conf/tokens.d/dynamo"
  if [ -n "$queue" ]; then
    install -d -m 0700 "$conf/passwords.d"
    echo "$queue" | base64 -d > "$conf/passwords.d/queue"
    home=$(getent passwd "$DYNAMO_OWNER" | cut -d : -f 6)
    install -d -o "$DYNAMO_OWNER" -m 0700 "$home/.condor" "$home/.condor/tokens.d"
    echo "$asking" > "$home/.condor/tokens.d/pool"
    chown "$DYNAMO_OWNER" "$home/.condor/tokens.d/pool"
  fi
  tail -n +2 "$state/answer" > "$conf/config.d/50-dynamo.conf"
  rm -f "$state/answer"
  # Where nothing else leads to the pool, a tunnel does, also after the machine was started again.
  if [ -n "${DYNAMO_TUNNEL:-}" ]; then
    /usr/local/sbin/dynamo-tunnel up || { poweroff || poweroff -f; exit 1; }
    [ ! -d /run/systemd/system ] || systemctl enable --quiet dynamo-tunnel
  fi
  # Of several addresses, the pool is told the one that it can reach: that from which this machine reaches it.
  place=$(condor_config_val COLLECTOR_HOST)
  there=$(getent ahostsv4 "${place%:*}" | awk '{print $1; exit}')
  here=$(ip -4 route get "$there" 2> /dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  [ -z "$here" ] || echo "NETWORK_INTERFACE = $here" > "$conf/config.d/60-address.conf"
  chmod 0644 "$conf"/config.d/*
}

if [ ! -e "$state/joined" ]; then
  for needed in condor_master curl ${DYNAMO_TUNNEL:+wg ip}; do
    command -v "$needed" > /dev/null && continue
    say "there is no $needed on this machine, and it could not be installed"
    poweroff || poweroff -f
    exit 1
  done
  exchange
  settle
fi
if [ -n "$root" ]; then
  condor_master -f > /dev/null 2>&1 &
  echo $! > "$state/master"
elif [ -d /run/systemd/system ]; then
  systemctl enable --quiet condor
  systemctl restart condor
else
  condor_master
fi
touch "$state/joined"
say "HTCondor is started, for the pool of $(condor_config_val CONDOR_HOST)"
