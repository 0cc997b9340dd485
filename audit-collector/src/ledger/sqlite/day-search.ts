/**
 * One day file searched in its order, a stretch of events at a time, so that the clock is looked at in between. What an index
 * answers (an address, a reference) needs one stretch; everything else is as long as the day is.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { formatAddress, type Interval, parseAddress } from '@edgeward/policy';
import type { StoredDenial } from '../ledger.ts';
import { type CheckedSearch, hasLabels } from '../search.ts';
import { denialOf, labelReader } from './event-rows.ts';

export interface DayPage {
  denials: StoredDenial[];
  /** Up to this id it was looked through: the last that was found, or the end of the stretch that time ended with. */
  reachedId: number;
  isCutShort: boolean;
}

/** Ids that stand, both included. */
export interface Stretch {
  firstId: number;
  lastId: number;
}

const stretchRows = 20_000;

export function daySearch(
  db: DatabaseSync,
): (search: CheckedSearch, within: Stretch, limit: number, isOver: () => boolean) => DayPage {
  const setOf = labelReader(db);
  db.function('in_network', { deterministic: true }, (source, lo, hi) =>
    isIn(String(source), { lo: String(lo), hi: String(hi) }) ? 1 : 0,
  );
  return (search, within, limit, isOver) => {
    const { newestFirst } = search;
    const { where, values, isIndexed } = conditionsOf(db, search);
    const step = isIndexed ? Number.MAX_SAFE_INTEGER : stretchRows;
    const select = db.prepare(`SELECT * FROM events WHERE ${['id BETWEEN ? AND ?', ...where].join(' AND ')}
      ORDER BY id ${newestFirst ? 'DESC' : 'ASC'} LIMIT ?`);
    const denials: StoredDenial[] = [];
    for (const { firstId, lastId } of stretches(idsBetween(db, search, within), step, newestFirst)) {
      const rows = select.all(firstId, lastId, ...values, limit - denials.length);
      for (const row of rows) denials.push(denialOf(row, setOf));
      const last = denials.at(-1);
      if (denials.length >= limit && last !== undefined) return { denials, reachedId: last.id, isCutShort: false };
      if (isOver()) return { denials, reachedId: newestFirst ? firstId : lastId, isCutShort: true };
    }
    return { denials, reachedId: newestFirst ? within.firstId : within.lastId, isCutShort: false };
  };
}

function* stretches({ firstId, lastId }: Stretch, step: number, newestFirst: boolean): Generator<Stretch> {
  for (let done = 0; done <= lastId - firstId; done += step) {
    if (newestFirst) yield { firstId: Math.max(firstId, lastId - done - step + 1), lastId: lastId - done };
    else yield { firstId: firstId + done, lastId: Math.min(lastId, firstId + done + step - 1) };
  }
}

/** Events come nearly in the order of their time: what is outside of it is not looked at. */
function idsBetween(db: DatabaseSync, { sinceMs, untilMs }: CheckedSearch, { firstId, lastId }: Stretch): Stretch {
  const first = (): unknown => db.prepare('SELECT min(id) AS id FROM events WHERE time_ms >= ?').get(sinceMs ?? 0)?.id;
  const last = (): unknown => db.prepare('SELECT max(id) AS id FROM events WHERE time_ms < ?').get(untilMs ?? 0)?.id;
  return {
    firstId: sinceMs === undefined ? firstId : Math.max(firstId, Number(first() ?? Number.MAX_SAFE_INTEGER)),
    lastId: untilMs === undefined ? lastId : Math.min(lastId, Number(last() ?? -1)),
  };
}

interface Conditions {
  where: string[];
  values: SQLInputValue[];
  isIndexed: boolean;
}

function conditionsOf(db: DatabaseSync, search: CheckedSearch): Conditions {
  const { network, rule, sinceMs, untilMs } = search;
  const isAddress = network !== null && network.lo === network.hi;
  const all: [sql: string, values: SQLInputValue[] | null][] = [
    ['source = ?', isAddress ? [formatAddress(network.lo)] : null],
    ['in_network(source, ?, ?)', network === null || isAddress ? null : [network.lo, network.hi]],
    ['ref = ?', given(search.ref)],
    ['+time_ms >= ?', given(sinceMs)],
    ['+time_ms < ?', given(untilMs)],
    ["coalesce(rule, '') = ?", given(rule)],
    ['reason = ?', given(search.reason)],
    ['verdict = ?', given(search.verdict)],
    ['object = ?', given(search.object)],
    ['point = ?', given(search.point)],
    ['source_labels_id IN (SELECT value FROM json_each(?))', setsWith(db, search, 'source')],
    ['object_labels_id IN (SELECT value FROM json_each(?))', setsWith(db, search, 'object')],
  ];
  const asked = all.filter(([, values]) => values !== null);
  return {
    where: asked.map(([sql]) => sql),
    values: asked.flatMap(([, values]) => values ?? []),
    isIndexed: isAddress || search.ref !== undefined,
  };
}

const given = (value: SQLInputValue | undefined): SQLInputValue[] | null => (value === undefined ? null : [value]);

/** Sets are few, and each is looked at once; events name them by number. */
function setsWith(db: DatabaseSync, { labels }: CheckedSearch, end: 'source' | 'object'): SQLInputValue[] | null {
  const sought = labels.filter((label) => label.end === end);
  if (sought.length === 0) return null;
  const found: number[] = [];
  for (const { id, labels } of db.prepare('SELECT id, labels FROM label_sets').iterate()) {
    if (hasLabels(JSON.parse(String(labels)), sought)) found.push(Number(id));
  }
  return [JSON.stringify(found)];
}

/** Keys of one family compare as their addresses do. */
function isIn(source: string, { lo, hi }: Interval): boolean {
  const key = parseAddress(source);
  return key !== null && key.length === lo.length && key >= lo && key <= hi;
}
