/**
 * The books of every point: what it observed is what is stored, what is a gap with its cause, and what waits. What is left
 * over is nowhere yet: of an NGINX it becomes a gap (`book-closing`), of anything else somebody has to look. Pure: from the sums of the ledger, and what points say of themselves.
 */
import type { LedgerSums } from './ledger/sums.ts';

export interface DenialAccount {
  point: string;
  /** Denials as the point counted them, over all its lives; never less than what is stored and what is a gap. */
  observed: number;
  /** Denials in the ledger, also those that retention has deleted. */
  stored: number;
  /** Denials without an event, by cause. `missing` is of numbers, each of one denial or more. */
  gaps: Map<string, number>;
  /** Denials that wait in a log, in a spool, or folded at an NGINX, as far as anybody can tell. */
  pending: number;
}

/** What is known of a point beside the ledger. */
export interface PointTold {
  point: string;
  /** Denials that it counted, where the ledger does not know it. */
  counted?: number | null;
  /** Denials that it could not write to its deny log. */
  unwritten?: number;
  /** Whether something is under way: lines not read yet, records in a spool. */
  isWaiting?: boolean;
  /** Whatever it had written by then, by the clock here, is stored; null: nobody can tell. */
  readUpToMs?: number | null;
}

type Sums = Pick<LedgerSums, 'totals' | 'enforced' | 'unparsed' | 'sequences' | 'spools' | 'uncovered'>;

export function denialAccounts(sums: Sums, told: readonly PointTold[]): DenialAccount[] {
  const accounts = new Map<string, DenialAccount & { counted: number | null }>();
  const of = (point: string): DenialAccount & { counted: number | null } => {
    const account = accounts.get(point) ?? { ...emptyAccount(point), counted: null };
    accounts.set(point, account);
    return account;
  };
  const gap = (point: string, cause: string, count: number): void => {
    const { gaps } = of(point);
    if (count > 0 || cause === 'missing' || cause === 'suppressed') gaps.set(cause, (gaps.get(cause) ?? 0) + count);
  };
  const numbers = new Set(sums.sequences.map(({ point }) => point));
  for (const { point, count } of sums.totals) of(point).stored += count;
  for (const { point, count } of sums.enforced) of(point).counted = (of(point).counted ?? 0) + count;
  for (const { point, missing, suppressed } of sums.sequences) {
    gap(point, 'missing', missing);
    gap(point, 'suppressed', suppressed);
  }
  for (const { point, missing } of sums.spools) gap(point, 'missing', missing);
  for (const { point, cause, count } of sums.uncovered) gap(point, cause, count);
  // Of a message that had a number, the number is missing; anything else that can't be read there is no denial.
  for (const { point, count } of sums.unparsed) if (!numbers.has(point)) gap(point, 'unparsed', count);
  for (const { point, counted = null, unwritten = 0 } of told) {
    gap(point, 'unwritten', unwritten);
    of(point).counted ??= counted;
  }
  const waiting = new Set(told.filter(({ isWaiting }) => isWaiting === true).map(({ point }) => point));
  return [...accounts.values()]
    .map(({ counted, ...account }) => closed(account, counted, waiting.has(account.point)))
    .sort((a, b) => (a.point < b.point ? -1 : 1));
}

/** Denials of this point that are stored, or a gap. */
export function accountedFor(point: string, sums: Sums, told: readonly PointTold[]): number {
  const own = <Row extends { point: string }>(rows: readonly Row[]): Row[] => rows.filter((row) => row.point === point);
  const { totals, unparsed, sequences, spools, uncovered } = sums;
  const ofPoint = {
    ...{ totals: own(totals), unparsed: own(unparsed), sequences: own(sequences), spools: own(spools) },
    ...{ uncovered: own(uncovered), enforced: [] },
  };
  return denialAccounts(ofPoint, own(told)).reduce((sum, { stored, gaps }) => sum + stored + sumOf(gaps.values()), 0);
}

/** Nobody counts the lines that wait: what was counted and is not here yet is among them, as long as there are any. */
function closed(account: DenialAccount, counted: number | null, isWaiting: boolean): DenialAccount {
  const here = account.stored + sumOf(account.gaps.values());
  const observed = Math.max(counted ?? 0, here);
  return { ...account, observed, pending: isWaiting ? observed - here : 0 };
}

function emptyAccount(point: string): DenialAccount {
  // There from the start, so that whoever compares two scrapes sees the first gap of a point too.
  return { point, observed: 0, stored: 0, gaps: new Map([['missing', 0]]), pending: 0 };
}

const sumOf = (counts: Iterable<number>): number => [...counts].reduce((sum, count) => sum + count, 0);
