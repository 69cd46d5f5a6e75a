#!/usr/bin/env bash
# The nowcast of a real squall line, twice: the first run makes everything, the second reuses it.
set -euo pipefail
folder="${1:-demo}"
SECONDS=0
if said=$(dynamo sample casa --to "$folder" 2>&1 >/dev/null); then
    echo "Real sweeps of three X-band radars: a squall line over Dallas/Fort Worth, 29 March 2017."
else
    echo "The sample of radar sweeps cannot be had: $(tail -n 1 <<<"$said")"
    echo "This is the built-in storm instead, not real data."
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
echo "All of it took $SECONDS s."
