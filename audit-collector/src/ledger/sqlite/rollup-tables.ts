/** Rollups and edges as tables, added to in the transaction that stores their events. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { DenyEvent } from '../../deny-event.ts';
import { type Edge, type HourSum, type MinuteSum, OTHER, type RollupQuery, rollUp, rollupBounds } from '../rollups.ts';
import { rowKey } from '../row-key.ts';
import { mostCounted } from '../sums.ts';
import { rollupTerms, type SqliteTerms } from './rollup-terms.ts';

export interface RollupTables {
  /** Within a transaction. */
  add(events: readonly DenyEvent[]): void;
  /** The transaction came to nothing. */
  forget(): void;
  minutes(query: RollupQuery): MinuteSum[];
  hours(query: RollupQuery): HourSum[];
  edges(query: RollupQuery): Edge[];
  /** Deletes at most `maxRows` minutes, hours and edges that ended before that instant. */
  prune(beforeMs: number, maxRows: number): number;
}

interface Table {
  name: string;
  key: readonly string[];
  /** How long the time is that the first column of the key begins; null: an edge has a time of its own. */
  unitMs: number | null;
}

const minuteTable: Table = {
  name: 'rollup_minutes',
  key: ['minute_ms', 'point', 'object', 'rule', 'reason', 'verdict'],
  unitMs: 60_000,
};
const hourTable: Table = {
  name: 'rollup_hours',
  key: ['hour_ms', 'source_set_id', 'object_set_id', 'object', 'rule', 'reason', 'verdict'],
  unitMs: 3_600_000,
};
const edgeTable: Table = { name: 'seen_edges', key: ['source_set_id', 'object', 'port'], unitMs: null };

export function rollupTables(db: DatabaseSync, bounds: typeof rollupBounds = rollupBounds): RollupTables {
  const terms = rollupTerms(db, bounds);
  const addMinute = db.prepare(upsert(minuteTable));
  const addHour = db.prepare(upsert(hourTable));
  const edgeRows = edgeAdder(db, bounds.edges);
  const pruned = [minuteTable, hourTable, edgeTable].map((table) => db.prepare(pruning(table)));
  return {
    add(events) {
      const { minutes, hours, edges } = rollUp(events, terms);
      for (const { minuteMs, point, object, rule, reason, verdict, count, firstMs, lastMs } of minutes) {
        addMinute.run(minuteMs, point, object, rule, reason, verdict, count, firstMs, lastMs);
      }
      for (const { hourMs, sourceSet, objectSet, object, rule, reason, verdict, count, firstMs, lastMs } of hours) {
        addHour.run(hourMs, sourceSet, objectSet, object, rule, reason, verdict, count, firstMs, lastMs);
      }
      for (const { sourceSet, object, port, count, firstMs, lastMs, firstRevision } of edges) {
        edgeRows.add([sourceSet, object, port], [count, firstMs, lastMs, firstRevision]);
      }
    },
    forget() {
      terms.forget();
      edgeRows.forget();
    },
    minutes: (query) => select(db, minuteTable, query) as unknown as MinuteSum[],
    hours: (query) => select(db, hourTable, query).map((row) => labelled(row, terms) as HourSum),
    edges: (query) => select(db, edgeTable, query).map((row) => labelled(row, terms) as Edge),
    prune(beforeMs, maxRows) {
      let deleted = 0;
      for (const statement of pruned) deleted += Number(statement.run(beforeMs, maxRows - deleted).changes);
      if (deleted > 0) edgeRows.forget();
      if (deleted > 0 && deleted < maxRows) terms.prune();
      return deleted;
    },
  };
}

/** Adds to the row with this key: the same whatever came first. Values are count, first_ms, last_ms. */
function upsert({ name, key }: Table, also = ''): string {
  const values = [...key, 'count', 'first_ms', 'last_ms', ...(also === '' ? [] : ['first_revision'])];
  return `INSERT INTO ${name} (${values.join()}) VALUES (?${', ?'.repeat(values.length - 1)})
    ON CONFLICT DO UPDATE SET ${also} count = min(${mostCounted}, count + excluded.count),
      first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)`;
}

/** In an UPDATE every name on the right is of the row as it was. */
const firstRevision = `first_revision = CASE WHEN excluded.first_ms > first_ms THEN first_revision
  WHEN excluded.first_ms < first_ms THEN excluded.first_revision ELSE min(first_revision, excluded.first_revision) END,`;

/** Past the bound, an edge that is new counts as one from others to another port. */
function edgeAdder(db: DatabaseSync, bound: number): EdgeAdder {
  const isThere = db.prepare('SELECT 1 FROM seen_edges WHERE source_set_id = ? AND object = ? AND port = ?');
  const count = db.prepare('SELECT count(*) AS count FROM seen_edges');
  const add = db.prepare(upsert(edgeTable, firstRevision));
  const known = new Set<string>();
  const isKnown = (key: EdgeKey): boolean => known.has(rowKey(key)) || isThere.get(...key) !== undefined;
  return {
    add(key, values) {
      const hasRoom = isKnown(key) || Number(count.get()?.count) < bound;
      if (known.size > bound) known.clear();
      if (hasRoom) known.add(rowKey(key));
      add.run(...(hasRoom ? key : [0, key[1], OTHER]), ...values);
    },
    forget: () => known.clear(),
  };
}

type EdgeKey = [sourceSet: number, object: string, port: string];

interface EdgeAdder {
  add(key: EdgeKey, values: number[]): void;
  /** The transaction came to nothing, or rows were deleted. */
  forget(): void;
}

const pruning = ({ name, key, unitMs }: Table): string => {
  const isOld = unitMs === null ? 'last_ms < ?' : `${key[0]} <= ? - ${unitMs}`;
  return `DELETE FROM ${name} WHERE (${key.join()}) IN (SELECT ${key.join()} FROM ${name} WHERE ${isOld} LIMIT ?)`;
};

type Row = Record<string, unknown>;

function select(db: DatabaseSync, { name, key, unitMs }: Table, query: RollupQuery): Row[] {
  const { sinceMs, untilMs, point, object } = query;
  const [time] = unitMs === null ? ['last_ms'] : key;
  const conditions: [sql: string, value: SQLInputValue | undefined][] = [
    [`${time} > ? - ${unitMs ?? 1}`, sinceMs],
    [`${unitMs === null ? 'first_ms' : time} < ?`, untilMs],
    ['object = ?', object],
    ['point = ?', key.includes('point') ? point : undefined],
  ];
  const asked = conditions.filter(([, value]) => value !== undefined);
  const where = asked.length === 0 ? '' : `WHERE ${asked.map(([sql]) => sql).join(' AND ')}`;
  const limit = Math.min(10_000, Math.max(1, Math.trunc(query.limit ?? 10_000)));
  const sql = `SELECT * FROM ${name} ${where} ORDER BY ${time} DESC, ${key.join()} LIMIT ${limit}`;
  const found = db.prepare(sql).all(...asked.map(([, value]) => value ?? null));
  return found
    .reverse()
    .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [camel(name), value])));
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function labelled({ sourceSetId, objectSetId, ...row }: Row, terms: SqliteTerms): unknown {
  const sourceLabels = terms.labels(Number(sourceSetId));
  return {
    ...row,
    sourceLabels,
    ...(objectSetId === undefined ? {} : { objectLabels: terms.labels(Number(objectSetId)) }),
  };
}
