-- A ledger of format 3, as the code of that time wrote it: two days of events, and what retention had left of a third.
CREATE TABLE label_sets (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, count INTEGER NOT NULL,
    ref TEXT, point TEXT NOT NULL,
    object TEXT NOT NULL, object_labels_id INTEGER NOT NULL REFERENCES label_sets (id),
    source TEXT NOT NULL, source_port INTEGER, source_workloads TEXT NOT NULL, source_networks TEXT NOT NULL,
    source_labels_id INTEGER NOT NULL REFERENCES label_sets (id), labels_revision INTEGER, peer TEXT,
    port TEXT NOT NULL, method TEXT, path TEXT, truncated INTEGER NOT NULL, host TEXT,
    verdict TEXT NOT NULL, reason TEXT NOT NULL, rule TEXT, revision INTEGER NOT NULL, nearest_rule TEXT, missed TEXT
  ) STRICT;
CREATE INDEX events_time ON events (time_ms);
CREATE INDEX events_source ON events (source);
CREATE INDEX events_ref ON events (ref) WHERE ref IS NOT NULL;
CREATE TABLE cursors (
    point TEXT NOT NULL, log TEXT NOT NULL, dev TEXT NOT NULL, inode TEXT NOT NULL,
    offset INTEGER NOT NULL, head_length INTEGER NOT NULL, head_crc INTEGER NOT NULL,
    skipping INTEGER NOT NULL, state TEXT NOT NULL, updated_ms INTEGER NOT NULL,
    PRIMARY KEY (point, log, dev, inode)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE totals (
    point TEXT NOT NULL, object TEXT NOT NULL, reason TEXT NOT NULL, verdict TEXT NOT NULL,
    count INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    PRIMARY KEY (point, object, reason, verdict)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE unparsed (
    point TEXT NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (point, cause)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL,
    point TEXT NOT NULL, log TEXT NOT NULL, cause TEXT NOT NULL, sample TEXT NOT NULL
  ) STRICT;
CREATE TABLE losses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL,
    point TEXT NOT NULL, log TEXT NOT NULL, cause TEXT NOT NULL, inode TEXT NOT NULL, offset INTEGER NOT NULL
  ) STRICT;
CREATE TABLE enforced (
    point TEXT NOT NULL, object TEXT NOT NULL, reason TEXT NOT NULL, last INTEGER NOT NULL, total INTEGER NOT NULL,
    PRIMARY KEY (point, object, reason)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE point_epochs (point TEXT PRIMARY KEY, epoch TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sequences (
    point TEXT NOT NULL, tmm INTEGER NOT NULL, epoch TEXT NOT NULL,
    highest INTEGER NOT NULL, stored INTEGER NOT NULL, suppressed INTEGER NOT NULL, heard_ms INTEGER NOT NULL,
    PRIMARY KEY (point, tmm, epoch)
  ) STRICT, WITHOUT ROWID;
CREATE INDEX sequences_heard ON sequences (point, heard_ms);
CREATE TABLE gaps (
    point TEXT NOT NULL, tmm INTEGER NOT NULL, epoch TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    PRIMARY KEY (point, tmm, epoch, first)
  ) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_seen ON gaps (seen_ms);
CREATE TABLE ended_sequences (
    point TEXT PRIMARY KEY, stored INTEGER NOT NULL, missing INTEGER NOT NULL, suppressed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
CREATE TABLE spools (
    point TEXT NOT NULL, tmm INTEGER NOT NULL, epoch TEXT NOT NULL,
    highest INTEGER NOT NULL, stored INTEGER NOT NULL, suppressed INTEGER NOT NULL, heard_ms INTEGER NOT NULL,
    PRIMARY KEY (point, tmm, epoch)
  ) STRICT, WITHOUT ROWID;
CREATE INDEX spools_heard ON spools (point, heard_ms);
CREATE TABLE spool_gaps (
    point TEXT NOT NULL, tmm INTEGER NOT NULL, epoch TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    PRIMARY KEY (point, tmm, epoch, first)
  ) STRICT, WITHOUT ROWID;
CREATE INDEX spool_gaps_seen ON spool_gaps (seen_ms);
CREATE TABLE ended_spools (
    point TEXT PRIMARY KEY, stored INTEGER NOT NULL, missing INTEGER NOT NULL, suppressed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
CREATE TABLE uncovered (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL, point TEXT NOT NULL,
    window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL
  ) STRICT;
CREATE INDEX uncovered_window ON uncovered (window_end_ms);
CREATE TABLE uncovered_totals (
    point TEXT NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (point, cause)
  ) STRICT, WITHOUT ROWID;
INSERT INTO label_sets VALUES (1, '{"app":"shop"}');
INSERT INTO label_sets VALUES (2, '{}');
INSERT INTO label_sets VALUES (3, '{"app":"crm"}');
INSERT INTO events VALUES (3, 1795255200000, 1795255200000, 1795255200000, 1795255200000, 1, 'a', 'edge-1', 'order-front', 1, '10.9.9.9', 53122, '[]', '["office"]', 2, 12, NULL, 'tcp/443', 'GET', CAST(x'2f001befbfbdf09f98802227' AS TEXT), 0, 'shop.example', 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (4, 1795255200000, 1795255261000, 1795255261000, 1795255261000, 1, 'b', 'edge-1', 'order-front', 1, '10.30.1.4', NULL, '["crm-1"]', '["office"]', 3, 12, '10.9.9.9', 'tcp/443', 'GET', '/v1/orders/7', 0, 'shop.example', 'deny', 'denied-by-rule', 'no-''bots''', 12, NULL, NULL);
INSERT INTO events VALUES (5, 1795341600000, 1795341600000, 1795341600000, 1795341600000, 1, 'c', 'edge-1', 'order-front', 1, '2001:db8::1', NULL, '[]', '[]', 2, 12, '10.9.9.9', 'tcp/443', 'GET', '/v1/orders/7', 0, 'shop.example', 'would-deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (6, 1795341600000, 1795341600001, 1795341600001, 1795341600001, 1, NULL, 'edge-1', '__proto__', 2, '10.9.9.9', 53122, '[]', '["office"]', 2, 12, NULL, 'tcp/443', 'GET', '/v1/orders/7', 0, 'shop.example', 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (7, 1795341600000, 1795341600000, 1795341600000, 1795341600000, 1, '0/e1/1', 'big-1', 'order-front', 1, '10.9.9.9', 53122, '[]', '["office"]', 2, 12, NULL, 'tcp/443', 'GET', '/v1/orders/7', 0, 'shop.example', 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (8, 1795341600000, 1795341600000, 1795341600000, 1795341600000, 1, '0/e1/2', 'big-1', 'order-front', 1, '10.9.9.9', 53122, '[]', '["office"]', 2, 12, NULL, 'tcp/443', 'GET', '/v1/orders/7', 0, 'shop.example', 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (9, 1795341600000, 1795341600000, 1795341600000, 1795341600000, 1, '0/e1/5', 'big-1', 'order-front', 1, '10.9.9.9', 53122, '[]', '["office"]', 2, 12, NULL, 'tcp/443', 'GET', '/v1/orders/7', 0, 'shop.example', 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (10, 1795341600005, 1795341619000, 1795341610000, 1795341619000, 3, NULL, 'host-1', 'db-1', 2, '10.30.1.4', NULL, '["crm-1"]', '["office"]', 3, 12, NULL, 'tcp/5432', NULL, NULL, 0, NULL, 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO events VALUES (11, 1795341600005, 1795341649000, 1795341640000, 1795341649000, 3, NULL, 'host-1', 'db-1', 2, '10.30.1.4', NULL, '["crm-1"]', '["office"]', 3, 12, NULL, 'tcp/5432', NULL, NULL, 0, NULL, 'deny', 'unknown-source', NULL, 12, 'crm-orders', 'source');
INSERT INTO cursors VALUES ('edge-1', '/deny.log', '1', '18446744073709551615', 20, 10, 4294967295, 0, 'reading', 1795341600000);
INSERT INTO totals VALUES ('big-1', 'order-front', 'unknown-source', 'deny', 3, 1795341600000);
INSERT INTO totals VALUES ('edge-1', '__proto__', 'unknown-source', 'deny', 1, 1795341600001);
INSERT INTO totals VALUES ('edge-1', 'order-front', 'denied-by-rule', 'deny', 1, 1795255261000);
INSERT INTO totals VALUES ('edge-1', 'order-front', 'unknown-source', 'deny', 3, 1795341600000);
INSERT INTO totals VALUES ('edge-1', 'order-front', 'unknown-source', 'would-deny', 1, 1795341600000);
INSERT INTO totals VALUES ('host-1', 'db-1', 'unknown-source', 'deny', 6, 1795341649000);
INSERT INTO unparsed VALUES ('edge-1', 'not-json', 1);
INSERT INTO quarantine VALUES (1, 1795255200000, 'edge-1', '/deny.log', 'not-json', CAST(x'70726f73650a' AS TEXT));
INSERT INTO losses VALUES (1, 1795255200000, 'edge-1', '/deny.log', 'gone', '7', 5);
INSERT INTO enforced VALUES ('edge-1', 'order-front', 'unknown-source', 9, 9);
INSERT INTO point_epochs VALUES ('edge-1', 'life-1');
INSERT INTO sequences VALUES ('big-1', 0, 'e1', 5, 3, 3, 1795341600000);
INSERT INTO gaps VALUES ('big-1', 0, 'e1', 3, 4, 1795341600000);
INSERT INTO spools VALUES ('host-1', 0, '00000000000000000000000000000000', 4, 3, 0, 1795341600005);
INSERT INTO spool_gaps VALUES ('host-1', 0, '00000000000000000000000000000000', 3, 3, 1795341600005);
INSERT INTO uncovered VALUES (1, 1795341600005, 'host-1', 1795341620000, 1795341630000, 'not-sampled', 100);
INSERT INTO uncovered_totals VALUES ('host-1', 'not-sampled', 100);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('events', 11);
INSERT INTO sqlite_sequence VALUES ('quarantine', 1);
INSERT INTO sqlite_sequence VALUES ('losses', 1);
INSERT INTO sqlite_sequence VALUES ('uncovered', 1);
PRAGMA user_version = 3;
