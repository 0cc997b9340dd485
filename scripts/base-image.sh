#!/usr/bin/env bash
# Prints the path of an archive to import as debian:trixie-slim: Debian 13 as debootstrap makes it of Debian's packages, no
# registry asked. It is kept beside the programs that tests fetch, for the rest of the month. Needs root and debootstrap.
set -euo pipefail

cache=${EDGEWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/edgeward}
architecture=$(dpkg --print-architecture)
kept=$cache/base-trixie-$architecture-$(date +%Y-%m).tar

if ! [ -f "$kept" ]; then
  folder=$(mktemp -d /tmp/edgeward-base.XXXXXX)
  trap 'rm -rf --one-file-system "$folder"; rm -f "$kept.$$"' EXIT
  if ! debootstrap --variant=minbase trixie "$folder/root" >"$folder/log" 2>&1; then
    tail -n 20 "$folder/log" >&2
    exit 69
  fi
  mkdir -p "$cache"
  # Renamed when it is whole: another may be made at the same time, and is as good.
  tar -C "$folder/root" --exclude='./var/cache/apt/archives/*.deb' -cf "$kept.$$" .
  rm -f "$cache/base-trixie-$architecture-"*.tar
  mv "$kept.$$" "$kept"
fi
echo "$kept"
