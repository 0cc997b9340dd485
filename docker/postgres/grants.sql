-- What Grafana may read: the views of the ledger, and nothing else. Again at every start, because a new version may bring more.
GRANT USAGE ON SCHEMA edgeward TO edgeward_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA edgeward TO edgeward_reader;
