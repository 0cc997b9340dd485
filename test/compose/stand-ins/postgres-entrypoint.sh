#!/bin/sh
# As the image `postgres` begins on an empty folder: a server on the socket alone, the database, the scripts, then the server.
set -eu
export POSTGRES_USER=postgres
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=postgres --encoding=UTF8 --locale=C.UTF-8 --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 >/dev/null
  options=$(shift; printf '%s ' "$@")
  pg_ctl -D "$PGDATA" -o "$options -c listen_addresses=''" -w start >/dev/null
  createdb --username=postgres "$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*.sh; do "$script"; done
  pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
fi
exec "$@"
