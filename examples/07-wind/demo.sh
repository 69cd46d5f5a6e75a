#!/usr/bin/env bash
# A squall line passes again: its sweeps appear one by one, and a receiver prints what the hospitals near a strong wind
# are told.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder="${1:-demo-wind}"
every="${2:-1}"
port="${3:-8080}"
mkdir -p "$folder"
sed "s/:8080/:$port/" "$here/wind.yaml" >"$folder/wind.yaml"
python "$here/replay.py" "$folder/incoming" --hospitals "$folder/hospitals.geojson"
secret=$(python -c 'import base64, os; print("whsec_" + base64.b64encode(os.urandom(32)).decode())')
export ALERT_SECRET="$secret"
dynamo receive --port "$port" --secret env:ALERT_SECRET >"$folder/received.txt" &
receiver=$!
dynamo watch "$folder/wind.yaml" &
watch=$!
trap 'kill "$watch" "$receiver" 2>/dev/null || true' EXIT
python "$here/replay.py" "$folder/incoming" --every "$every" --products "$folder/products"
# The newest product is there before it is judged; then what was decided is delivered, and what came is printed.
under_way() { dynamo status --workspace "$folder/.dynamo" | grep -E '^watched:.* (queued|running)|waiting for'; }
while under_way >/dev/null; do kill -0 "$watch"; sleep 0.5; done
told() { dynamo alerts list --workspace "$folder/.dynamo" --limit 1000; }
until [ "$(wc -l <"$folder/received.txt")" -ge "$(told | grep -c " desk$")" ]; do sleep 0.5; done
echo
echo "What the receiver took and verified ($folder/received.txt):"
cat "$folder/received.txt"
echo
echo "\$ dynamo alerts list --workspace $folder/.dynamo"
told
