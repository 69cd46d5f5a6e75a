#!/bin/sh
# Build both images here. Another base for the second one: BASE=debian:12 ./build.sh
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cc -static -O2 -Wall -o "$folder/area" area.c
install -m 0755 total.sh "$folder/total.sh"
docker build --quiet --tag storm-area:1 --file area.Dockerfile "$folder"
docker build --quiet --tag storm-total:1 --file total.Dockerfile ${BASE:+--build-arg "BASE=$BASE"} "$folder"
