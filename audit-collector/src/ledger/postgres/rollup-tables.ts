/** Rollups and edges as tables, added to in the transaction that stores their events. */
import type { DenyEvent } from '../../deny-event.ts';
import { type EdgeRow, merge, OTHER, type RolledUp, rollUp, rollupBounds } from '../rollups.ts';
import { mostCounted } from '../sums.ts';
import { timeOf } from './event-rows.ts';
import { columnsOf, type PostgresTerms, rollupTerms } from './rollup-terms.ts';
import type { Asking } from './session.ts';
import { storedName } from './stored-text.ts';

/** What the ledger says of them all, as the transaction found it. */
export interface RollupState {
  /** Another number: what was in memory may be no more. */
  terms: number;
  edges: number;
}

export interface RollupWriter {
  /** Within a transaction. Answers with what the ledger has to say from then on. */
  add(asking: Asking, events: readonly DenyEvent[], state: RollupState): Promise<RollupState>;
  /** The transaction came to nothing. */
  forget(): void;
}

export function rollupWriter(bounds: typeof rollupBounds = rollupBounds): RollupWriter {
  const terms: PostgresTerms = rollupTerms(bounds);
  const edges = edgeWriter(bounds.edges);
  let loaded: number | null = null;
  return {
    async add(asking, events, state) {
      if (loaded !== state.terms) {
        edges.forget();
        await terms.load(asking);
      }
      const rolled = rollUp(events, terms);
      const hasNew = await terms.save(asking);
      loaded = hasNew ? state.terms + 1 : state.terms;
      await put(
        asking,
        minuteTable,
        rolled.minutes.map((row) => ({ ...row, point: storedName(row.point) })),
      );
      await put(asking, hourTable, rolled.hours);
      const added = await edges.add(asking, rolled.edges, state.edges);
      return { terms: loaded, edges: state.edges + added };
    },
    forget() {
      loaded = null;
    },
  };
}

interface Table<Row> {
  name: string;
  columns: readonly (readonly [
    column: string,
    type: 'time' | 'text' | 'integer' | 'bigint',
    key: keyof Row & string,
  ])[];
  /** How many of the columns, from the first, are the key. */
  keys: number;
}

type Minute = RolledUp<number>['minutes'][number];
type Hour = RolledUp<number>['hours'][number];
type Edge = EdgeRow<number>;

const minuteTable: Table<Minute> = {
  name: 'rollup_minutes',
  columns: [
    ['minute', 'time', 'minuteMs'],
    ['point', 'text', 'point'],
    ['object', 'text', 'object'],
    ['rule', 'text', 'rule'],
    ['reason', 'text', 'reason'],
    ['verdict', 'text', 'verdict'],
    ['count', 'bigint', 'count'],
    ['first_at', 'time', 'firstMs'],
    ['last_at', 'time', 'lastMs'],
  ],
  keys: 6,
};
const hourTable: Table<Hour> = {
  name: 'rollup_hours',
  columns: [
    ['hour', 'time', 'hourMs'],
    ['source_set', 'integer', 'sourceSet'],
    ['object_set', 'integer', 'objectSet'],
    ['object', 'text', 'object'],
    ['rule', 'text', 'rule'],
    ['reason', 'text', 'reason'],
    ['verdict', 'text', 'verdict'],
    ['count', 'bigint', 'count'],
    ['first_at', 'time', 'firstMs'],
    ['last_at', 'time', 'lastMs'],
  ],
  keys: 7,
};
const edgeTable: Table<Edge> = {
  name: 'seen_edges',
  columns: [
    ['source_set', 'integer', 'sourceSet'],
    ['object', 'text', 'object'],
    ['port', 'text', 'port'],
    ['count', 'bigint', 'count'],
    ['first_at', 'time', 'firstMs'],
    ['last_at', 'time', 'lastMs'],
    ['first_revision', 'bigint', 'firstRevision'],
  ],
  keys: 3,
};

/** Adds to the row with this key: the same whatever came first. Answers how many are new. */
async function put<Row>(asking: Asking, table: Table<Row>, rows: readonly Row[]): Promise<number> {
  if (rows.length === 0) return 0;
  const { name, columns, keys } = table;
  const names = columns.map(([column]) => column);
  const values = columns.map(([column, type]) => (type === 'time' ? timeOf(column) : column));
  const types = columns.map(([, type], place) => `$${place + 1}::${type === 'time' ? 'float8' : type}[]`);
  const added = await asking.rows<{ new: boolean }>(
    `INSERT INTO ${name} AS kept (${names.join()})
    SELECT ${values.join()} FROM unnest(${types.join()}) AS given (${names.join()})
    ON CONFLICT (${names.slice(0, keys).join()}) DO UPDATE SET ${names.includes('first_revision') ? firstRevision : ''}
      count = least(${mostCounted}, kept.count + excluded.count),
      first_at = least(kept.first_at, excluded.first_at), last_at = greatest(kept.last_at, excluded.last_at)
    RETURNING xmax = 0 AS new`,
    columnsOf(
      rows,
      columns.map(([, , key]) => key),
    ),
  );
  return added.filter((row) => row.new).length;
}

/** In an UPDATE every name on the right is of the row as it was. */
const firstRevision = `first_revision = CASE WHEN excluded.first_at > kept.first_at THEN kept.first_revision
  WHEN excluded.first_at < kept.first_at THEN excluded.first_revision
  ELSE least(kept.first_revision, excluded.first_revision) END,`;

interface EdgeWriter {
  /** Answers how many are new. */
  add(asking: Asking, edges: readonly Edge[], standing: number): Promise<number>;
  forget(): void;
}

/** Past the bound, an edge that is new counts as one from others to another port. */
function edgeWriter(bound: number): EdgeWriter {
  const known = new Set<string>();
  const keyOf = ({ sourceSet, object, port }: Edge): string => JSON.stringify([sourceSet, object, port]);

  async function learn(asking: Asking, edges: readonly Edge[]): Promise<void> {
    if (known.size > bound) known.clear();
    const unknown = edges.filter((edge) => !known.has(keyOf(edge)));
    if (unknown.length === 0) return;
    const found = await asking.rows<Edge>(
      `SELECT source_set AS "sourceSet", object, port FROM seen_edges
        JOIN unnest($1::integer[], $2::text[], $3::text[]) AS given (source_set, object, port)
        USING (source_set, object, port)`,
      columnsOf(unknown, ['sourceSet', 'object', 'port']),
    );
    for (const edge of found) known.add(keyOf(edge));
  }

  return {
    async add(asking, rolled, standing) {
      const edges = rolled.map((edge) => ({ ...edge, port: storedName(edge.port) }));
      await learn(asking, edges);
      const rows = new Map<string, Edge>();
      let room = bound - standing;
      for (const edge of edges) {
        const isKnown = known.has(keyOf(edge));
        const row = isKnown || room > 0 ? edge : { ...edge, sourceSet: 0, port: OTHER };
        if (!isKnown) room -= 1;
        const same = rows.get(keyOf(row));
        if (same === undefined) rows.set(keyOf(row), row);
        else merge(same, row);
      }
      const added = await put(asking, edgeTable, [...rows.values()]);
      for (const key of rows.keys()) known.add(key);
      return added;
    },
    forget: () => known.clear(),
  };
}
