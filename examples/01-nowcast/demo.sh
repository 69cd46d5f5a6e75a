#!/usr/bin/env bash
# The nowcast of a real squall line, twice: the first run makes everything, the second reuses it.
set -euo pipefail
folder="${1:-demo}"
began=$(date +%s.%N)
if dynamo sample casa --to "$folder" >/dev/null 2>&1; then
    echo "Real sweeps of three X-band radars: a squall line over Dallas/Fort Worth, 29 March 2017."
else
    echo "No sample of radar sweeps can be had here; this is the built-in storm, not real data."
    dynamo sample storm --regime line --frames 15 --to "$folder" >/dev/null
fi
echo
echo "\$ dynamo run $folder/nowcast.yaml --report"
dynamo run "$folder/nowcast.yaml" --report
echo
echo "\$ dynamo plan $folder/nowcast.yaml      # what would run now, and why"
dynamo plan "$folder/nowcast.yaml"
echo
echo "\$ dynamo run $folder/nowcast.yaml       # again: nothing has changed"
dynamo run "$folder/nowcast.yaml" --quiet
latest=$(ls -td "$folder"/products/*/ | head -1)
echo
echo "Look at   ${latest}nowcast.png   (or nowcast.gif beside it)"
echo "On a map  ${latest}polygons_00.geojson, and reflectivity_00.png within the bounds of reflectivity_00.json"
awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { printf "All of it took %.1f s.\n", b - a }'
