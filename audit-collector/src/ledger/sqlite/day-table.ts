/** Which day files a ledger has, how far each holds, and the last id that was ever given: rows of the ledger itself. */
import type { DatabaseSync } from 'node:sqlite';
import { instantMs } from '../../instants.ts';
import type { DenialQuery, StoredDenial } from '../ledger.ts';
import type { CheckedSearch } from '../search.ts';

export interface ListedDay {
  name: string;
  firstId: number;
  /** Of the last event that stands; the file may hold more. */
  lastId: number;
}

export interface DayTable {
  find(name: string): ListedDay | null;
  /** Those that can hold an answer, in the order that is asked for. */
  list(query: DenialQuery): ListedDay[];
  /** All that can hold an answer after that id, in order. */
  searched(search: CheckedSearch): ListedDay[];
  lastId(): number;
  /** Within a transaction: what was written into the file stands. */
  extend(written: { name: string; dayMs: number; denials: readonly StoredDenial[] }): void;
  endedBefore(beforeMs: number): ListedDay[];
  forget(name: string): void;
}

const dayMs = 86_400_000;

export function dayTable(db: DatabaseSync): DayTable {
  const listed = 'SELECT name, first_id AS firstId, last_id AS lastId FROM day_files';
  const find = db.prepare(`${listed} WHERE name = ?`);
  const matching = `${listed} WHERE last_time_ms >= :sinceMs AND last_id > :afterId
    AND (:id IS NULL OR :id BETWEEN first_id AND last_id)`;
  const oldestFirst = db.prepare(`${matching} ORDER BY first_id`);
  const latestFirst = db.prepare(`${matching} ORDER BY last_id DESC`);
  const last = db.prepare('SELECT id FROM last_event');
  const setLast = db.prepare('UPDATE last_event SET id = max(id, ?)');
  const put = db.prepare(`INSERT INTO day_files VALUES (:name, :dayMs, :firstId, :lastId, :lastTimeMs)
    ON CONFLICT DO UPDATE SET last_id = :lastId, last_time_ms = max(last_time_ms, :lastTimeMs)`);
  const ended = db.prepare(`${listed} WHERE day_ms <= ? ORDER BY day_ms`);
  const drop = db.prepare('DELETE FROM day_files WHERE name = ?');
  const rows = (found: unknown[]): ListedDay[] => found.map((row) => ({ ...(row as ListedDay) }));
  return {
    find: (name) => rows(find.all(name))[0] ?? null,
    list({ sinceMs, afterId, id, newest }) {
      const asked = { sinceMs: sinceMs ?? Number.MIN_SAFE_INTEGER, afterId: afterId ?? -1, id: id ?? null };
      return rows((newest ? latestFirst : oldestFirst).all(asked));
    },
    searched({ sinceMs, after, newestFirst }) {
      const asked = { sinceMs: sinceMs ?? Number.MIN_SAFE_INTEGER, afterId: -1, id: null };
      const days = rows((newestFirst ? latestFirst : oldestFirst).all(asked));
      if (after === null) return days;
      return days.filter(({ firstId, lastId }) => (newestFirst ? firstId < after : lastId > after));
    },
    lastId: () => Number(last.get()?.id ?? 0),
    extend({ name, dayMs, denials }) {
      const [firstId, lastId] = [denials[0]?.id ?? 0, denials.at(-1)?.id ?? 0];
      const lastTimeMs = denials.reduce((latest, { event }) => Math.max(latest, instantMs(event.time)), 0);
      put.run({ name, dayMs, firstId, lastId, lastTimeMs });
      setLast.run(lastId);
    },
    endedBefore: (beforeMs) => rows(ended.all(beforeMs - dayMs)),
    forget: (name) => void drop.run(name),
  };
}
