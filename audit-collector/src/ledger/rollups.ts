/**
 * Denials counted by what operators ask for, while they are stored: by minute, by hour with the labels of both ends, and as
 * edges, which are who was ever denied where. Nothing that a client can choose without end is in a key: no address, path or
 * reference, and names and label sets past a bound are `other`. What was counted late lands in the minute of its window's
 * end. Pure: whoever holds a ledger adds these rows to its own, in the transaction that stores the events.
 */
import type { DenyReason, DenyVerdict } from '@edgeward/deny-log';
import type { DenyEvent } from '../deny-event.ts';
import { instantMs } from '../instants.ts';
import { rowKey } from './row-key.ts';
import { mostCounted } from './sums.ts';

/** Past these, a new one is `other`. What retention takes makes room again. */
export const rollupBounds: { sets: number; names: number; edges: number } = {
  sets: 10_000,
  names: 2_000,
  edges: 50_000,
};
/** A name, a port or a set of labels past the bound. */
export const OTHER = 'other';

/** Sets of labels by the number that a ledger gives them. */
export interface RollupTerms<Set> {
  object(name: string): string;
  rule(name: string): string;
  set(labels: Record<string, string>): Set;
}

interface MinuteRow extends Counted {
  minuteMs: number;
  point: string;
  object: string;
  /** '': none decided. */
  rule: string;
  reason: DenyReason;
  verdict: DenyVerdict;
}

interface HourRow<Set> extends Counted {
  hourMs: number;
  sourceSet: Set;
  objectSet: Set;
  object: string;
  rule: string;
  reason: DenyReason;
  verdict: DenyVerdict;
}

export interface EdgeRow<Set> extends Counted {
  sourceSet: Set;
  object: string;
  port: string;
  /** Of the policy that judged at `firstMs`. */
  firstRevision: number;
}

interface Counted {
  count: number;
  /** Start of the first window and end of the last, by the clock of the point. */
  firstMs: number;
  lastMs: number;
}

export interface RolledUp<Set> {
  minutes: MinuteRow[];
  hours: HourRow<Set>[];
  edges: EdgeRow<Set>[];
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export function rollUp<Set>(events: readonly DenyEvent[], terms: RollupTerms<Set>): RolledUp<Set> {
  const minutes = rowsBy<MinuteRow>();
  const hours = rowsBy<HourRow<Set>>();
  const edges = rowsBy<EdgeRow<Set>>();
  for (const event of events) {
    const { point, port, reason, verdict, count } = event;
    const counted = { count, firstMs: instantMs(event.windowStart), lastMs: instantMs(event.windowEnd) };
    const object = terms.object(event.object);
    const rule = event.rule === null ? '' : terms.rule(event.rule);
    const kind = { object, rule, reason, verdict };
    const [sourceSet, objectSet] = [terms.set(event.sourceLabels), terms.set(event.objectLabels)];
    minutes.add({ minuteMs: floor(counted.lastMs, minuteMs), point, ...kind }, counted);
    hours.add({ hourMs: floor(counted.lastMs, hourMs), sourceSet, objectSet, ...kind }, counted);
    edges.add({ sourceSet, object, port }, { ...counted, firstRevision: event.revision });
  }
  return { minutes: minutes.all(), hours: hours.all(), edges: edges.all() };
}

/**
 * A clock that is further ahead would make rows that no retention ever takes, as many as it likes: such a denial counts as of
 * when it was stored. The event itself keeps what its point said.
 */
const mostAheadMs = 24 * hourMs;

export function rollable(events: readonly DenyEvent[], storedMs: number): readonly DenyEvent[] {
  const [latest, stored] = [storedMs + mostAheadMs, storedMs].map((ms) => new Date(ms).toISOString()) as [
    string,
    string,
  ];
  if (events.every(({ windowEnd }) => windowEnd <= latest)) return events;
  return events.map((event) => {
    if (event.windowEnd <= latest) return event;
    return { ...event, windowStart: event.windowStart < stored ? event.windowStart : stored, windowEnd: stored };
  });
}

const floor = (timeMs: number, unitMs: number): number => Math.floor(timeMs / unitMs) * unitMs;

type Value = Counted & { firstRevision?: number | undefined };

interface RowsBy<Row extends Value> {
  add(key: Omit<Row, keyof Value>, value: Pick<Row, keyof Value & keyof Row>): void;
  all(): Row[];
}

function rowsBy<Row extends Value>(): RowsBy<Row> {
  const rows = new Map<string, Row>();
  return {
    add(key, value) {
      const name = rowKey(Object.values(key) as (string | number)[]);
      const row = rows.get(name);
      if (row === undefined) rows.set(name, { ...key, ...value } as unknown as Row);
      else merge(row, value as Value);
    },
    all: () => [...rows.values()],
  };
}

/** Adds what is of the same key: the same whatever comes first. */
export function merge(row: Value, more: Value): void {
  row.count = Math.min(mostCounted, row.count + more.count);
  row.lastMs = Math.max(row.lastMs, more.lastMs);
  if (more.firstMs > row.firstMs) return;
  if (more.firstRevision !== undefined && row.firstRevision !== undefined) {
    const isEarlier = more.firstMs < row.firstMs;
    row.firstRevision = isEarlier ? more.firstRevision : Math.min(row.firstRevision, more.firstRevision);
  }
  row.firstMs = more.firstMs;
}

export interface RollupQuery {
  /** Of minutes, hours and edges that saw a denial since then. */
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  /** Of minutes alone: the others are of all points. */
  point?: string | undefined;
  object?: string | undefined;
  /** 1 to 10,000, which it is unless told; the latest are kept. */
  limit?: number | undefined;
}

export type MinuteSum = MinuteRow;
/** null: sets of labels past the bound. */
export type HourSum = Omit<HourRow<never>, 'sourceSet' | 'objectSet'> & {
  sourceLabels: Record<string, string> | null;
  objectLabels: Record<string, string> | null;
};
export type Edge = Omit<EdgeRow<never>, 'sourceSet'> & { sourceLabels: Record<string, string> | null };
