#!/usr/bin/env bash
# Storms come to a pool without a worker: a fleet buys some (containers here), and lets them go. Nothing is left running.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder="${1:-demo-fleet}"
storms="${2:-4}"
name="${3:-demo}"
radars="$folder/radars"
mkdir -p "$radars"
folder="$(cd "$folder" && pwd)"
radars="$folder/radars"
sed "s/demo/$name/" "$here/slice.yaml" >"$folder/slice.yaml"
cp "$here/nowcast.yaml" "$radars/"
fleet=""

finish() {
  trap '' INT TERM
  echo
  echo "Taking all of it away, which takes some seconds ..."
  if [ -n "$fleet" ]; then kill "$fleet" 2>/dev/null && wait "$fleet" || true; fi
  dynamo slice destroy "$folder/slice.yaml" --yes || true
  dynamo pool down --name "$name" || true
  kill $(jobs -p) 2>/dev/null || true
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
machines() { docker ps --quiet --filter "label=dynamo-slice=$name" | wc -l; }
gone() {
  say "Nothing waits any more: who has been without a job for 20 s is let go."
  until dynamo fleet status slice.yaml | grep --quiet "cores     0 paid"; do sleep 1; done
  sleep 6
}
nowcast() {
  (cd "$radars" && dynamo pool run --name "$name" -- dynamo run nowcast.yaml --quiet --input "frames=radar-$1/*.nc") \
    >"$folder/nowcast-$1.log" 2>&1
}

say "\$ dynamo pool up --name $name --workers 0     # a real HTCondor pool, and nobody works in it"
dynamo pool up --name "$name" --workers 0 --mount "$radars" >"$folder/pool.log"
for n in $(seq "$storms"); do dynamo sample storm --seed "$n" --frames 12 --to "$radars/radar-$n" >/dev/null; done
if [ "$(id -u)" = 0 ]; then chown -R 1000 "$radars"; fi # jobs are those of a user who is not root

say "\$ dynamo fleet run slice.yaml --interval 2 --shadow queue_depth"
cd "$folder"
dynamo fleet run slice.yaml --interval 2 --shadow queue_depth > >(tee fleet.log) 2>&1 &
fleet=$!
until dynamo fleet status slice.yaml >/dev/null 2>&1; do
  kill -0 "$fleet" 2>/dev/null || exit 1 # it has said why
  sleep 1
done

say "A storm is seen by one radar: its nowcast is submitted."
nowcast 1 &
wait $!
if [ "$storms" -gt 1 ]; then
  gone
  say "Now $((storms - 1)) more see storms, all at once."
  waiting=()
  for n in $(seq 2 "$storms"); do
    nowcast "$n" &
    waiting+=($!)
  done
  until [ "$(machines)" -gt 0 ]; do sleep 0.5; done
  say "\$ dynamo fleet explain slice.yaml"
  dynamo fleet explain slice.yaml
  wait "${waiting[@]}"
fi
say "\$ dynamo fleet status slice.yaml"
dynamo fleet status slice.yaml || true
grep --no-filename " done: " nowcast-*.log

gone

say "\$ dynamo fleet chart slice.yaml"
dynamo fleet chart slice.yaml
