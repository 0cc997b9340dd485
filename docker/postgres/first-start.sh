#!/bin/sh
# Run once by the image, on an empty folder: the role that writes the ledger, and the role that Grafana reads with. What the
# reader may see is granted when the ledger has its views, by `grants.sql`. Whoever looks at Grafana asks as the reader, so
# that it has few connections and little time: the ledger never waits for it.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
-- Read here: an argument of a command can be read by others.
\set ledger `cat /run/edgeward/postgres/ledger-password`
\set reader `cat /run/edgeward/postgres/reader-password`
CREATE ROLE edgeward LOGIN PASSWORD :'ledger';
CREATE ROLE edgeward_reader LOGIN PASSWORD :'reader' CONNECTION LIMIT 20;
ALTER ROLE edgeward_reader SET default_transaction_read_only = on;
ALTER ROLE edgeward_reader SET statement_timeout = '20s';
REVOKE ALL ON DATABASE edgeward FROM PUBLIC;
GRANT CREATE, CONNECT ON DATABASE edgeward TO edgeward;
GRANT CONNECT ON DATABASE edgeward TO edgeward_reader;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
