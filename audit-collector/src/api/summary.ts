/**
 * How many were denied, by what the rollups hold: by minute and point, or by hour and the labels of the sources. Whole minutes
 * or hours are counted, whatever instant was asked for, and rows are bounded: where there were more, the answer says so.
 */
import * as z from 'zod';
import type { DenyReason, DenyVerdict } from '../deny-event.ts';
import type { HourSum, MinuteSum } from '../ledger/rollups.ts';
import { mostCounted } from '../ledger/sums.ts';
import { choice, instant, wholeNumber, words, wrongQuery } from './query.ts';
import type { DenialReader } from './reader.ts';

export interface SummaryQuery {
  per?: 'minute' | 'hour' | undefined;
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  point?: string | undefined;
  object?: string | undefined;
  top: number;
}

export const summaryQuery: z.ZodType<SummaryQuery> = z.strictObject({
  per: choice(
    ['minute', 'hour'],
    'Which sums: by minute they are of each point, by hour they have the labels of the sources. By hour without it, by minute with `point`',
  ).optional(),
  sinceMs: instant('From this time on; without it the last hour by minutes, the last day by hours').optional(),
  untilMs: instant('Before this time').optional(),
  point: words('Only of this point, by minute').optional(),
  object: words('Only of this protected object').optional(),
  top: wholeNumber(1, 100, 'At most so many of each kind, 1 to 100, the most first; 10 without it')
    .optional()
    .default(10) as unknown as z.ZodType<number>,
});

interface Counted {
  count: number;
}

export interface SummaryAnswer extends Counted {
  per: 'minute' | 'hour';
  sinceMs: number;
  untilMs: number | null;
  times: ({ time: string } & Counted)[];
  reasons: ({ reason: DenyReason; verdict: DenyVerdict } & Counted)[];
  rules: ({ rule: string | null } & Counted)[];
  objects: ({ object: string } & Counted)[];
  points: ({ point: string } & Counted)[] | null;
  sources: ({ labels: Record<string, string> | null } & Counted)[] | null;
  cutShort: boolean;
}

const rowLimit = 10_000;
const hourMs = 3_600_000;

/** Throws EDW_ERR_QUERY. */
export async function summaryOf(ledger: DenialReader, query: SummaryQuery, nowMs: number): Promise<SummaryAnswer> {
  const { point, object, top, untilMs } = query;
  const per = query.per ?? (point === undefined ? 'hour' : 'minute');
  if (per === 'hour' && point !== undefined) {
    throw wrongQuery('per', per, 'minute with `point`: by hour denials are counted over all points');
  }
  const sinceMs = query.sinceMs ?? Math.max(0, nowMs - (per === 'minute' ? hourMs : 24 * hourMs));
  const asked = { sinceMs, untilMs, point, object, limit: rowLimit };
  const isByMinute = per === 'minute';
  const minutes = isByMinute ? await ledger.minutes(asked) : [];
  const hours = isByMinute ? [] : await ledger.hours(asked);
  const rows: Sum[] = [
    ...minutes.map((row) => ({ ...row, startMs: row.minuteMs })),
    ...hours.map((row) => ({ ...row, startMs: row.hourMs })),
  ];
  return {
    per,
    sinceMs,
    untilMs: untilMs ?? null,
    count: rows.reduce((sum, { count }) => added(sum, count), 0),
    times: groups(rows, ({ startMs }) => ({ time: new Date(startMs).toISOString() })),
    reasons: most(rows, top, ({ reason, verdict }) => ({ reason, verdict })),
    rules: most(rows, top, ({ rule }) => ({ rule: rule === '' ? null : rule })),
    objects: most(rows, top, ({ object }) => ({ object })),
    points: isByMinute ? most(minutes, top, ({ point }) => ({ point })) : null,
    sources: isByMinute ? null : most(hours, top, ({ sourceLabels: labels }) => ({ labels })),
    cutShort: rows.length >= rowLimit,
  };
}

type Sum = Pick<MinuteSum & HourSum, 'object' | 'rule' | 'reason' | 'verdict' | 'count'> & { startMs: number };

/** A point may claim as much as can be counted; with another one's it is no more than that. */
const added = (sum: number, count: number): number => Math.min(mostCounted, sum + count);

/** In the order in which they came up. */
function groups<Row extends Counted, Key extends object>(
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
): (Key & Counted)[] {
  const found = new Map<string, Key & Counted>();
  for (const row of rows) {
    const key = keyOf(row);
    const name = JSON.stringify(key);
    const group = found.get(name);
    if (group === undefined) found.set(name, { ...key, count: row.count });
    else group.count = added(group.count, row.count);
  }
  return [...found.values()];
}

function most<Row extends Counted, Key extends object>(
  rows: readonly Row[],
  top: number,
  keyOf: (row: Row) => Key,
): (Key & Counted)[] {
  return groups(rows, keyOf)
    .sort((one, other) => other.count - one.count)
    .slice(0, top);
}
