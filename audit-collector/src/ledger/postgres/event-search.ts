/**
 * Events searched in their order, a stretch at a time, so that the clock is looked at in between. What an index answers (an
 * address, a reference, a short time) is one stretch; everything else is as long as the days are that can hold it.
 */
import { formatAddress } from '@edgeward/policy';
import { canonicalAddress } from '../../deny-event.ts';
import type { DenialQuery, StoredDenial } from '../ledger.ts';
import { type CheckedSearch, cursorAfter, type DenialPage, type LabelSought } from '../search.ts';
import { daysWithin, type ListedDay } from './day-tables.ts';
import { denialOf, type EventRow, selectEvents, timeOf, withinYears } from './event-rows.ts';
import type { Asking } from './session.ts';
import { storedName, storedText } from './stored-text.ts';

/** Both included. */
interface Span {
  firstId: number;
  lastId: number;
}

interface Sought extends Span {
  conditions: Condition[];
  /** How an index has them: so few that they are soon sorted, in the order of ids, or not at all. */
  index: 'few' | 'ordered' | null;
  sinceMs: number | null;
  untilMs: number | null;
  newestFirst: boolean;
  limit: number;
}

interface Condition {
  sql: (value: string) => string;
  value: unknown;
}

interface Found {
  denials: StoredDenial[];
  /** null: all of it was looked through, or as many were found as were asked for. */
  cutAt: number | null;
}

const stretchIds = 20_000;
/** A time that holds no more than these is looked through by time. */
const fewRows = 20_000;

export async function denialsBy(asking: Asking, query: DenialQuery): Promise<StoredDenial[]> {
  const { afterId, id, newest = false } = query;
  const found = await look(
    asking,
    {
      conditions: conditionsOf({ ...query, source: query.source && canonicalAddress(query.source) }),
      index: indexOf(query.ref !== undefined, query.source !== undefined),
      firstId: Math.max(id ?? 0, (afterId ?? -1) + 1),
      lastId: id ?? Number.MAX_SAFE_INTEGER,
      sinceMs: withinYears(query.sinceMs),
      untilMs: null,
      newestFirst: newest,
      limit: Math.min(10_000, Math.max(1, Math.trunc(query.limit ?? 1_000))),
    },
    () => false,
  );
  return newest ? found.denials.reverse() : found.denials;
}

export async function pageOf(asking: Asking, search: CheckedSearch): Promise<DenialPage> {
  const { after, newestFirst, limit, network } = search;
  const endMs = performance.now() + search.timeMs;
  const isAddress = network !== null && network.lo === network.hi;
  const { denials, cutAt } = await look(
    asking,
    {
      conditions: [
        ...conditionsOf({ ...search, source: isAddress ? formatAddress(network.lo) : undefined }),
        ...networkCondition(isAddress ? null : network),
        ...search.labels.map(labelCondition),
      ],
      index: indexOf(search.ref !== undefined, isAddress),
      firstId: !newestFirst && after !== null ? after + 1 : 0,
      lastId: newestFirst && after !== null ? after - 1 : Number.MAX_SAFE_INTEGER,
      sinceMs: withinYears(search.sinceMs),
      untilMs: withinYears(search.untilMs),
      newestFirst,
      // One more than is asked for says whether there is a next page.
      limit: limit + 1,
    },
    () => performance.now() > endMs,
  );
  const page = denials.slice(0, limit);
  const last = denials.length > limit ? page.at(-1)?.id : undefined;
  if (last !== undefined) return { denials: page, cursor: cursorAfter(last, newestFirst), isCutShort: false };
  if (cutAt === null) return { denials: page, cursor: null, isCutShort: false };
  return { denials: page, cursor: cursorAfter(cutAt, newestFirst), isCutShort: true };
}

const indexOf = (byRef: boolean, bySource: boolean): Sought['index'] => {
  if (byRef) return 'few';
  return bySource ? 'ordered' : null;
};

type Plain = Pick<DenialQuery, 'point' | 'object' | 'source' | 'ref'> &
  Pick<CheckedSearch, 'rule' | 'reason' | 'verdict'>;

function conditionsOf({ point, object, source, ref, rule, reason, verdict }: Plain): Condition[] {
  const stored = (text: string | undefined): string | undefined => (text === undefined ? text : storedText(text));
  const name = (text: string | undefined): string | undefined =>
    text === undefined ? text : storedName(storedText(text));
  const all: [string, string | undefined][] = [
    ['point', stored(point)],
    ['object', name(object)],
    ['source', name(source)],
    ['ref', name(ref)],
    ["coalesce(rule, '')", stored(rule)],
    ['reason', reason],
    ['verdict', verdict],
  ];
  return all
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => ({ sql: (at) => `${column} = ${at}`, value }));
}

/** Addresses of IPv4 are below those of IPv6: a range of one family holds none of the other. */
const networkCondition = (network: CheckedSearch['network']): Condition[] =>
  network === null
    ? []
    : [
        { sql: (at) => `address >= ${at}::inet`, value: formatAddress(network.lo) },
        { sql: (at) => `address <= ${at}::inet`, value: formatAddress(network.hi) },
      ];

/** Sets are few, and each is looked at once; events name them by number. */
function labelCondition({ end, key, value }: LabelSought): Condition {
  const [column, wanted] = [end === 'source' ? 'source_set' : 'object_set', storedText(value)];
  return {
    sql: (at) => `${column} IN (SELECT id FROM label_sets WHERE labels ->> (${at}::jsonb ->> 0) = ${at}::jsonb ->> 1
      OR ${at}::jsonb ->> 1 = ANY (string_to_array(labels ->> (${at}::jsonb ->> 0), ',')))`,
    value: JSON.stringify([storedText(key), wanted]),
  };
}

async function look(asking: Asking, sought: Sought, isOver: () => boolean): Promise<Found> {
  const { newestFirst, limit } = sought;
  const days = await daysWithin(asking, sought);
  const spans = spansOf(days, sought);
  const whole = wholeOf(spans);
  if (whole === null) return { denials: [], cutAt: null };
  const index = sought.index ?? ((await isShort(asking, sought, days)) ? 'few' : null);
  if (index !== null) return { denials: await select(asking, { ...sought, index }, days, whole, limit), cutAt: null };
  const denials: StoredDenial[] = [];
  for (const span of stretches(spans, newestFirst)) {
    denials.push(...(await select(asking, sought, days, span, limit - denials.length)));
    if (denials.length >= limit) return { denials, cutAt: null };
    if (isOver()) return { denials, cutAt: newestFirst ? span.firstId : span.lastId };
  }
  return { denials, cutAt: null };
}

/** Days overlap only where a clock was set back. */
function spansOf(days: readonly ListedDay[], { firstId, lastId }: Span): Span[] {
  const spans: Span[] = [];
  for (const day of days) {
    const span = { firstId: Math.max(firstId, day.firstId), lastId: Math.min(lastId, day.lastId) };
    const before = spans.at(-1);
    if (before !== undefined && span.firstId <= before.lastId + 1) before.lastId = Math.max(before.lastId, span.lastId);
    else spans.push(span);
  }
  return spans;
}

function wholeOf(spans: readonly Span[]): Span | null {
  const [first, last] = [spans[0], spans.at(-1)];
  return first === undefined || last === undefined ? null : { firstId: first.firstId, lastId: last.lastId };
}

function* stretches(spans: readonly Span[], newestFirst: boolean): Generator<Span> {
  for (const { firstId, lastId } of newestFirst ? spans.toReversed() : spans) {
    for (let done = 0; done <= lastId - firstId; done += stretchIds) {
      if (newestFirst) yield { firstId: Math.max(firstId, lastId - done - stretchIds + 1), lastId: lastId - done };
      else yield { firstId: firstId + done, lastId: Math.min(lastId, firstId + done + stretchIds - 1) };
    }
  }
}

/** The index on time has it, and what it has is soon looked through: no order of ids need be kept to. */
async function isShort(asking: Asking, { sinceMs, untilMs }: Sought, days: readonly ListedDay[]): Promise<boolean> {
  if (sinceMs === null && untilMs === null) return false;
  const given = parameters();
  const where = [...timeConditions(sinceMs, untilMs, given), ...dayConditions(days, given)].join(' AND ');
  const [found] = await asking.rows<{ count: number }>(
    `SELECT count(*) FROM (SELECT 1 FROM events WHERE ${where} ORDER BY time LIMIT ${fewRows + 1}) AS first`,
    given.values,
  );
  return (found?.count ?? 0) <= fewRows;
}

async function select(
  asking: Asking,
  { conditions, index, sinceMs, untilMs, newestFirst }: Sought,
  days: readonly ListedDay[],
  { firstId, lastId }: Span,
  limit: number,
): Promise<StoredDenial[]> {
  const given = parameters();
  const where = [
    ...conditions.map(({ sql, value }) => sql(given.add(value))),
    ...timeConditions(sinceMs, untilMs, given),
    ...dayConditions(days, given),
    `id BETWEEN ${given.add(firstId)} AND ${given.add(lastId)}`,
  ].join(' AND ');
  // A sum has no index: PostgreSQL takes the one that finds few, and not the one that has an order.
  const order = `${index === 'few' ? 'id + 0' : 'id'} ${newestFirst ? 'DESC' : 'ASC'}`;
  const found = await asking.rows<EventRow>(
    `${selectEvents} WHERE ${where} ORDER BY ${order} LIMIT ${limit}`,
    given.values,
  );
  return found.map(denialOf);
}

interface Parameters {
  values: unknown[];
  add(value: unknown): string;
}

function parameters(): Parameters {
  const values: unknown[] = [];
  return { values, add: (value) => `$${values.push(value)}` };
}

const timeConditions = (sinceMs: number | null, untilMs: number | null, given: Parameters): string[] => [
  ...(sinceMs === null ? [] : [`time >= ${timeOf(given.add(sinceMs))}`]),
  ...(untilMs === null ? [] : [`time < ${timeOf(given.add(untilMs))}`]),
];

/** So that the tables of other days are not even looked at. */
const dayConditions = (days: readonly ListedDay[], given: Parameters): string[] => {
  const sorted = days.map(({ day }) => day).toSorted();
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (first === undefined || last === undefined) return [];
  const next = new Date(Date.parse(last) + 86_400_000).toISOString().slice(0, 10);
  return [`stored_at >= ${given.add(first)}::timestamptz`, `stored_at < ${given.add(next)}::timestamptz`];
};
