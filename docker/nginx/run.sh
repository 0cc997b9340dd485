#!/bin/sh
# NGINX with the configuration that is named. Beside it, the deny log is renamed when it has grown, as logrotate would do, and
# NGINX is reloaded when its certificate was renewed. NGINX opens the log anew for each line, so that it need not be told.
set -eu
log=/var/log/edgeward/deny.log
(
  while sleep "${LOOK_SECONDS:-60}"; do
    bytes=$(stat -c %s "$log" 2>/dev/null) || continue
    [ "$bytes" -gt "${DENY_LOG_BYTES:-33554432}" ] || continue
    for number in 6 5 4 3 2 1; do
      [ ! -e "$log.$number" ] || mv "$log.$number" "$log.$((number + 1))"
    done
    mv "$log" "$log.1"
  done
) &
exec sh /usr/local/bin/until-renewed.sh HUP /run/edgeward/nginx/certificate.pem \
  nginx -g 'daemon off;' -e stderr -c "$@"
