/**
 * The tables of the ledger in PostgreSQL, and how an older one becomes a newer one: `state.format` counts the migrations that
 * were applied. A migration is never edited once it was released; the next one is added below it. All tables are in the
 * schema `edgeward_ledger` and nobody else's affair: `views` are what others read.
 */
import { UNCOUNTED } from '../settlements.ts';
import { views } from './views.ts';

/** Compared by bytes, as everywhere else, whatever the database was made for. */
const key = 'text COLLATE "C"';

/** A day of events is a table of its own: `events_YYYYMMDD`, by when they were stored (UTC). */
const tables = `
  CREATE SCHEMA edgeward_ledger;
  SET LOCAL search_path = edgeward_ledger;

  -- One row. Who writes holds it until the commit, so that ids grow in the order of commits. \`terms\` changes when what
  -- writers keep in memory does.
  CREATE TABLE state (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    format integer NOT NULL, last_id bigint NOT NULL, terms bigint NOT NULL, edges integer NOT NULL
  ) WITH (fillfactor = 20);
  INSERT INTO state VALUES (true, 0, 0, 0, 0);

  -- The lives of this ledger, and the database in which each began: a copy is another one, and begins another life.
  CREATE TABLE lives (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, epoch text NOT NULL, after_id bigint NOT NULL,
    place text NOT NULL
  );

  -- What repeats without end is kept once: sets of labels, and lists of workloads or networks. Their digest is unique, because
  -- an index takes no long text. \`last_day\` is the last day of events that names it; retention goes by that.
  CREATE TABLE label_sets (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE,
    labels jsonb NOT NULL, last_day date NOT NULL
  );
  CREATE TABLE name_lists (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE,
    names text[] NOT NULL, last_day date NOT NULL
  );

  -- \`long\` has the fields that were cut because an index would refuse them, as they came.
  CREATE TABLE events (
    id bigint NOT NULL, stored_at timestamptz NOT NULL, time timestamptz NOT NULL,
    window_start timestamptz NOT NULL, window_end timestamptz NOT NULL, count bigint NOT NULL,
    ref ${key}, point ${key} NOT NULL, object ${key} NOT NULL, object_set integer NOT NULL,
    source ${key} NOT NULL, address inet, source_port integer, workloads integer NOT NULL, networks integer NOT NULL,
    source_set integer NOT NULL, labels_revision bigint, peer text,
    port ${key} NOT NULL, method text, path text, truncated boolean NOT NULL, host text,
    verdict ${key} NOT NULL, reason ${key} NOT NULL, rule ${key}, revision bigint NOT NULL, nearest_rule text, missed text,
    long jsonb
  ) PARTITION BY RANGE (stored_at);
  CREATE INDEX events_id ON events (id);
  CREATE INDEX events_time ON events (time);
  CREATE INDEX events_object ON events (object, time);
  CREATE INDEX events_source ON events (source, id);
  CREATE INDEX events_ref ON events (ref) WHERE ref IS NOT NULL;

  -- The days that there are: which ids and times they hold.
  CREATE TABLE days (
    day date PRIMARY KEY, first_id bigint NOT NULL, last_id bigint NOT NULL,
    first_time timestamptz NOT NULL, last_time timestamptz NOT NULL
  );

  -- How far each log file was read; written in the transaction that stores what was read.
  CREATE TABLE cursors (
    point ${key}, log ${key}, dev ${key}, inode ${key},
    "offset" bigint NOT NULL, head_length integer NOT NULL, head_crc bigint NOT NULL,
    skipping boolean NOT NULL, state text NOT NULL, updated_at timestamptz NOT NULL,
    PRIMARY KEY (point, log, dev, inode)
  );

  -- Everything ever stored; retention does not touch it.
  CREATE TABLE totals (
    point ${key}, object ${key}, reason ${key}, verdict ${key}, count bigint NOT NULL, last_at timestamptz NOT NULL,
    PRIMARY KEY (point, object, reason, verdict)
  ) WITH (fillfactor = 70);
  CREATE TABLE unparsed (point ${key}, cause ${key}, count bigint NOT NULL, PRIMARY KEY (point, cause));
  CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stored_at timestamptz NOT NULL,
    point ${key} NOT NULL, log ${key} NOT NULL, cause ${key} NOT NULL, sample text NOT NULL
  );
  CREATE TABLE losses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stored_at timestamptz NOT NULL,
    point ${key} NOT NULL, log ${key} NOT NULL, cause ${key} NOT NULL, inode ${key} NOT NULL, "offset" bigint NOT NULL
  );

  -- The points' own counters, which begin anew with each life of a point: last as read, total over all lives.
  CREATE TABLE enforced (
    point ${key}, object ${key}, reason ${key}, last bigint NOT NULL, total bigint NOT NULL,
    PRIMARY KEY (point, object, reason)
  );
  CREATE TABLE point_epochs (point ${key} PRIMARY KEY, epoch ${key} NOT NULL);

  -- What numbers what it sends: the TMMs of a BIG-IP their denials, a spool its records. For each, highest = stored +
  -- missing. The numbers up to the highest of which nothing is stored are gaps; a late one takes its own out.
  CREATE TABLE sequences (
    kind ${key}, point ${key}, tmm bigint, epoch ${key},
    highest bigint NOT NULL, stored bigint NOT NULL, suppressed bigint NOT NULL, heard_at timestamptz NOT NULL,
    PRIMARY KEY (kind, point, tmm, epoch)
  );
  CREATE INDEX sequences_heard ON sequences (kind, point, heard_at);
  CREATE TABLE gaps (
    kind ${key}, point ${key}, tmm bigint, epoch ${key},
    first bigint, last bigint NOT NULL, seen_at timestamptz NOT NULL,
    PRIMARY KEY (kind, point, tmm, epoch, first)
  );
  CREATE INDEX gaps_seen ON gaps (seen_at);
  -- The sums of sequences that ended so long ago that they are no longer kept one by one.
  CREATE TABLE ended_sequences (
    kind ${key}, point ${key}, stored bigint NOT NULL, missing bigint NOT NULL, suppressed bigint NOT NULL,
    PRIMARY KEY (kind, point)
  );

  -- Denials that a point counted and can say nothing else of. Retention deletes old ones; the sums stay.
  CREATE TABLE uncovered (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stored_at timestamptz NOT NULL, point ${key} NOT NULL,
    window_start timestamptz NOT NULL, window_end timestamptz NOT NULL, cause ${key} NOT NULL, count bigint NOT NULL
  );
  CREATE INDEX uncovered_window ON uncovered (window_end);
  CREATE TABLE uncovered_totals (point ${key}, cause ${key}, count bigint NOT NULL, PRIMARY KEY (point, cause));

  -- Denials by minute, by hour with the labels of both ends, and who was ever denied where: kept as events are stored, and
  -- longer than those. Set 0 is every set past the bound, set 1 has no label; a name past the bound is 'other'. Rows are
  -- changed again and again: each has room beside it, so that no index changes with it.
  CREATE TABLE rollup_sets (
    id integer PRIMARY KEY, digest bytea NOT NULL UNIQUE, labels jsonb, title text NOT NULL
  );
  INSERT INTO rollup_sets VALUES (0, '\\x00', NULL, 'other'), (1, '\\x01', '{}', 'no labels');
  CREATE TABLE rollup_names (kind ${key}, name ${key}, PRIMARY KEY (kind, name));
  CREATE TABLE rollup_minutes (
    minute timestamptz, point ${key}, object ${key}, rule ${key}, reason ${key}, verdict ${key},
    count bigint NOT NULL, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL,
    PRIMARY KEY (minute, point, object, rule, reason, verdict)
  ) WITH (fillfactor = 90);
  CREATE TABLE rollup_hours (
    hour timestamptz, source_set integer, object_set integer, object ${key}, rule ${key}, reason ${key}, verdict ${key},
    count bigint NOT NULL, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL,
    PRIMARY KEY (hour, source_set, object_set, object, rule, reason, verdict)
  ) WITH (fillfactor = 90);
  CREATE TABLE seen_edges (
    source_set integer, object ${key}, port ${key},
    count bigint NOT NULL, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, first_revision bigint NOT NULL,
    PRIMARY KEY (source_set, object, port)
  ) WITH (fillfactor = 70);
  -- None on last_at: it changes with every batch, and they are few.
  CREATE INDEX seen_edges_first ON seen_edges (first_at);
`;

/** Since format 2. */
const settlements = `
  -- What closed the books of a point where its counter and its lines differ: denials that it counted in the life \`epoch\` and
  -- has no line of, which late ones take back, and denials that the log has and the counter never told, over all lives.
  CREATE TABLE edgeward_ledger.settlements (
    point ${key} PRIMARY KEY, epoch ${key} NOT NULL, unlogged bigint NOT NULL, uncounted bigint NOT NULL,
    closed_at timestamptz
  ) WITH (fillfactor = 70);
  CREATE OR REPLACE VIEW edgeward.enforced_totals AS
    SELECT point, object, reason, total AS count FROM edgeward_ledger.enforced
    UNION ALL SELECT point, '', '${UNCOUNTED}', uncounted FROM edgeward_ledger.settlements WHERE uncounted > 0;
`;

/** Since format 3. */
const lossTotals = `
  -- Retention deletes old losses; the sums stay.
  CREATE TABLE edgeward_ledger.loss_totals (
    point ${key}, cause ${key}, count bigint NOT NULL, PRIMARY KEY (point, cause)
  ) WITH (fillfactor = 70);
  INSERT INTO edgeward_ledger.loss_totals SELECT point, cause, count(*) FROM edgeward_ledger.losses GROUP BY point, cause;
  -- Samples are kept of each point, so that nobody's push out those of another one.
  CREATE INDEX quarantine_point ON edgeward_ledger.quarantine (point, id);
`;

export const migrations: readonly string[] = [`${tables}\n${views}`, settlements, lossTotals];
