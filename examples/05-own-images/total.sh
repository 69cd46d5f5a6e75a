#!/bin/sh
# Add up counts: total TOTAL COUNT...
set -eu
total=$1
shift
sum=0
for count in "$@"; do
    sum=$((sum + $(cat "$count")))
done
echo "$sum" > "$total"
