#!/bin/sh
# Runs a program, and sends it a signal whenever a file was replaced: for programs that read their certificate at the start, or
# when they are told to. SIGTERM lets Docker start the program anew.
#
#     until-renewed.sh HUP /run/edgeward/nginx/certificate.pem nginx -g 'daemon off;'
set -eu
signal=$1
file=$2
shift 2
program=$$
(
  seen=$(stat -c %i.%Y "$file" 2>/dev/null) || true
  while sleep "${LOOK_SECONDS:-60}"; do
    now=$(stat -c %i.%Y "$file" 2>/dev/null) || continue
    [ "$now" = "$seen" ] && continue
    seen=$now
    kill -s "$signal" "$program" || exit 0
  done
) &
exec "$@"
