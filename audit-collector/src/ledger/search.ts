/**
 * What a search of denials asks for, checked once. Pages are bounded in rows and in time: one that took too long ends early
 * and says where to go on, so that nothing is left out and nobody waits for all of it. A cursor is a place in the order of
 * storing and nothing else: what is stored meanwhile moves no page.
 */
import type { DenyReason, DenyVerdict } from '@edgeward/deny-log';
import { type Interval, parseCidr } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { StoredDenial } from './ledger.ts';

export interface DenialSearch {
  /** An address, or a network as in 10.0.0.0/8. */
  source?: string | undefined;
  /** All of them hold. Of several memberships a value is one of those that are joined by a comma. */
  labels?: readonly LabelSought[] | undefined;
  /** '': no rule decided. */
  rule?: string | undefined;
  reason?: DenyReason | undefined;
  verdict?: DenyVerdict | undefined;
  object?: string | undefined;
  point?: string | undefined;
  ref?: string | undefined;
  /** By the clock of the point, `untilMs` not included. */
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  /** Newest stored first unless told. */
  order?: 'newest' | 'oldest' | undefined;
  /** Of the page before, with the same search. */
  cursor?: string | undefined;
  /** 1 to 1,000; 100 unless told. */
  limit?: number | undefined;
  /** How long it may look, 10 to 10,000 ms; 2,000 unless told. */
  timeMs?: number | undefined;
}

export interface LabelSought {
  end: 'source' | 'object';
  key: string;
  value: string;
}

export interface DenialPage {
  denials: StoredDenial[];
  /** null: there are no more. */
  cursor: string | null;
  /** It ended for time, with fewer than there may be: the cursor goes on from there. */
  isCutShort: boolean;
}

/** A search as a ledger runs it. */
export interface CheckedSearch
  extends Omit<DenialSearch, 'source' | 'labels' | 'order' | 'cursor' | 'limit' | 'timeMs'> {
  network: Interval | null;
  labels: readonly LabelSought[];
  newestFirst: boolean;
  /** The id that the page before ended with; null: the first page. */
  after: number | null;
  limit: number;
  timeMs: number;
}

/** Throws EDW_ERR_QUERY. */
export function checkSearch(search: DenialSearch): CheckedSearch {
  const { source, labels = [], order = 'newest', cursor, limit, timeMs, ...plain } = search;
  return {
    ...plain,
    labels,
    network: source === undefined ? null : networkOf(source),
    newestFirst: order === 'newest',
    after: cursor === undefined ? null : placeIn(cursor, order),
    limit: bounded(limit ?? 100, 1, 1_000),
    timeMs: bounded(timeMs ?? 2_000, 10, 10_000),
  };
}

const bounded = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, Math.trunc(value)));

function networkOf(source: string): Interval {
  const network = parseCidr(source);
  if (network === null) throw wrong('source', source, 'an address, or a network as in 10.0.0.0/8');
  if (network === 'host-bits') throw wrong('source', source, 'a network whose bits after its prefix are zero');
  return network;
}

export const cursorAfter = (id: number, newestFirst: boolean): string =>
  Buffer.from(`${newestFirst ? 'newest' : 'oldest'} ${id}`).toString('base64url');

function placeIn(cursor: string, order: 'newest' | 'oldest'): number {
  const found = /^(newest|oldest) (\d{1,16})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (found === null || found[1] !== order) throw wrong('cursor', cursor, `what a page of the ${order} first gave`);
  return Number(found[2]);
}

/** What the labels of one end have to be, as the others are not its affair. */
export function hasLabels(set: Record<string, string>, sought: readonly LabelSought[]): boolean {
  return sought.every(({ key, value }) => Object.hasOwn(set, key) && isAmong(value, set[key] ?? ''));
}

const isAmong = (value: string, joined: string): boolean => joined === value || joined.split(',').includes(value);

function wrong(name: string, given: string, accepted: string): EdgewardError {
  return new EdgewardError('EDW_ERR_QUERY', `'${name}' is ${JSON.stringify(given)}, and must be ${accepted}`, {
    mend: 'Correct the request.',
  });
}
