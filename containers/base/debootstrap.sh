#!/bin/sh
# Make the base image where no registry is reached, from a mirror of Debian: prints a tar archive for `docker import`.
# Needs root and debootstrap. Usage: debootstrap.sh SUITE MIRROR > base.tar
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"  # the root of the image, which users that are not root read too
debootstrap --variant=minbase "$1" "$folder" "$2" >&2
rm -rf "$folder"/var/cache/apt/* "$folder"/var/lib/apt/lists/* "$folder"/var/log/*
# The archive must not depend on when it was made more than its files do.
tar --directory "$folder" --numeric-owner --sort=name --create .
