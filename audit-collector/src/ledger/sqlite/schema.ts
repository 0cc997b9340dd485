/**
 * The tables of the ledger and how an older file becomes a newer one: `user_version` counts the migrations that were
 * applied. A migration is never edited once it was released; the next one is added below it.
 */
export const migrations: readonly string[] = [
  `
  -- Label sets repeat without end; each is kept once, as sorted JSON.
  CREATE TABLE label_sets (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE) STRICT;

  -- AUTOINCREMENT: an id is never given again after retention, so that paging by it never skips.
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

  -- How far each log file was read; written in the transaction that stores what was read.
  CREATE TABLE cursors (
    point TEXT NOT NULL, log TEXT NOT NULL, dev TEXT NOT NULL, inode TEXT NOT NULL,
    offset INTEGER NOT NULL, head_length INTEGER NOT NULL, head_crc INTEGER NOT NULL,
    skipping INTEGER NOT NULL, state TEXT NOT NULL, updated_ms INTEGER NOT NULL,
    PRIMARY KEY (point, log, dev, inode)
  ) STRICT, WITHOUT ROWID;

  -- Everything ever stored; retention does not touch it.
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

  -- The points' own counters, which begin anew with each life of a point: last as read, total over all lives.
  CREATE TABLE enforced (
    point TEXT NOT NULL, object TEXT NOT NULL, reason TEXT NOT NULL, last INTEGER NOT NULL, total INTEGER NOT NULL,
    PRIMARY KEY (point, object, reason)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE point_epochs (point TEXT PRIMARY KEY, epoch TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- Points that number their denials, per TMM and life of it: highest = stored + missing, always.
  CREATE TABLE sequences (
    point TEXT NOT NULL, tmm INTEGER NOT NULL, epoch TEXT NOT NULL,
    highest INTEGER NOT NULL, stored INTEGER NOT NULL, suppressed INTEGER NOT NULL, heard_ms INTEGER NOT NULL,
    PRIMARY KEY (point, tmm, epoch)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sequences_heard ON sequences (point, heard_ms);

  -- Numbers up to the highest of which no event is stored; a late one takes its own out. Retention deletes old ones.
  CREATE TABLE gaps (
    point TEXT NOT NULL, tmm INTEGER NOT NULL, epoch TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    PRIMARY KEY (point, tmm, epoch, first)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX gaps_seen ON gaps (seen_ms);

  -- The sums of sequences that ended so long ago that they are no longer kept one by one.
  CREATE TABLE ended_sequences (
    point TEXT PRIMARY KEY, stored INTEGER NOT NULL, missing INTEGER NOT NULL, suppressed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Points that keep their denials in a spool and send each record until it is acknowledged: as \`sequences\` and
  -- \`gaps\` are, of records. A record is of one denial or more, or of a gap. A spool is one sequence: its tmm is 0.
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

  -- Denials that a point counted and can say nothing else of. Retention deletes old ones; the sums stay.
  CREATE TABLE uncovered (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL, point TEXT NOT NULL,
    window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX uncovered_window ON uncovered (window_end_ms);
  CREATE TABLE uncovered_totals (
    point TEXT NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (point, cause)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Denials by minute, by hour with the labels of both ends, and who was ever denied where: kept as events are stored, and
  -- longer than those. Set 0 is every set past the bound, set 1 has no label; a name past the bound is 'other'.
  CREATE TABLE rollup_sets (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE) STRICT;
  INSERT INTO rollup_sets VALUES (0, 'other'), (1, '{}');
  CREATE TABLE rollup_names (kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE rollup_minutes (
    minute_ms INTEGER NOT NULL, point TEXT NOT NULL, object TEXT NOT NULL, rule TEXT NOT NULL, reason TEXT NOT NULL,
    verdict TEXT NOT NULL, count INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, point, object, rule, reason, verdict)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rollup_hours (
    hour_ms INTEGER NOT NULL, source_set_id INTEGER NOT NULL, object_set_id INTEGER NOT NULL, object TEXT NOT NULL,
    rule TEXT NOT NULL, reason TEXT NOT NULL, verdict TEXT NOT NULL,
    count INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, source_set_id, object_set_id, object, rule, reason, verdict)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE seen_edges (
    source_set_id INTEGER NOT NULL, object TEXT NOT NULL, port TEXT NOT NULL,
    count INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, first_revision INTEGER NOT NULL,
    PRIMARY KEY (source_set_id, object, port)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX seen_edges_first ON seen_edges (first_ms);
  `,
  `
  -- Events are in files of their own, one a day: which they are, and up to which event each holds.
  CREATE TABLE day_files (
    name TEXT PRIMARY KEY, day_ms INTEGER NOT NULL, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,
    last_time_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- An id is never given again after retention, so that paging by it never skips.
  CREATE TABLE last_event (id INTEGER NOT NULL) STRICT;
  INSERT INTO last_event SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);
  `,
  `
  -- The lives of this ledger, and the file in which each began: a copy is another file, and begins another one.
  CREATE TABLE lives (
    number INTEGER PRIMARY KEY, epoch TEXT NOT NULL, after_id INTEGER NOT NULL,
    inode TEXT NOT NULL, birth_ns TEXT NOT NULL
  ) STRICT;
  `,
  `
  -- What closed the books of a point where its counter and its lines differ: denials that it counted in the life \`epoch\` and
  -- has no line of, which late ones take back, and denials that the log has and the counter never told, over all lives.
  CREATE TABLE settlements (
    point TEXT PRIMARY KEY, epoch TEXT NOT NULL, unlogged INTEGER NOT NULL, uncounted INTEGER NOT NULL, closed_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Retention deletes old losses; the sums stay.
  CREATE TABLE loss_totals (
    point TEXT NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (point, cause)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO loss_totals SELECT point, cause, count(*) FROM losses GROUP BY point, cause;
  -- Samples are kept of each point, so that nobody's push out those of another one.
  CREATE INDEX quarantine_point ON quarantine (point, id);
  `,
];
