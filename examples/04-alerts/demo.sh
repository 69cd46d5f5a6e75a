#!/usr/bin/env bash
# A storm passes again: its frames appear one by one, and a receiver prints what the people near it are told.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder="${1:-demo-alerts}"
every="${2:-1.5}"
port="${3:-8080}"
mkdir -p "$folder"
sed "s/:8080/:$port/" "$here/alerts.yaml" >"$folder/alerts.yaml"
python "$here/replay.py" "$folder/incoming" --people "$folder/people.geojson"
secret=$(python -c 'import base64, os; print("whsec_" + base64.b64encode(os.urandom(32)).decode())')
export ALERT_SECRET="$secret"
dynamo receive --port "$port" --secret env:ALERT_SECRET >"$folder/received.txt" &
receiver=$!
dynamo watch "$folder/alerts.yaml" &
watch=$!
trap 'kill "$watch" "$receiver" 2>/dev/null || true' EXIT
python "$here/replay.py" "$folder/incoming" --every "$every" --products "$folder/products"
# The newest product is there before it is judged; then what was decided is delivered, and what came is printed.
under_way() { dynamo status --workspace "$folder/.dynamo" | grep -E '^watched:.* (queued|running)|waiting for'; }
while under_way >/dev/null; do kill -0 "$watch"; sleep 0.5; done
told() { dynamo alerts list --workspace "$folder/.dynamo" --limit "$1"; }
until [ "$(wc -l <"$folder/received.txt")" -ge "$(told 1000 | grep -c ' desk$')" ]; do sleep 0.5; done
echo
echo "What the receiver took and verified, of $(wc -l <"$folder/received.txt") alerts ($folder/received.txt):"
# Frames of the past half hour pass in a minute: what many are told of was over by then. First what comes, or is there.
for kind in new updated cancelled; do
  { grep " $kind " "$folder/received.txt" | grep -v " was " || grep " $kind " "$folder/received.txt" || true; } | tail -n 3
done
echo
echo "\$ dynamo alerts list --workspace $folder/.dynamo"
told 10
