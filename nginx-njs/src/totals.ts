import type { Verdict } from '@edgeward/policy';
import type { FoldZone } from './folding.ts';

/** Totals by object, verdict and reason: exact, whatever happens to the log, and whatever names clients make up. */
export function count(counts: FoldZone, bind: string, verdict: Verdict, observed: boolean): void {
  const isAllowed = verdict.verdict === 'allow';
  const of = `\t${isAllowed ? 'allow' : observed ? 'would-deny' : 'deny'}\t${verdict.reason}`;
  addTo(counts, (isAllowed || isOfPolicy(verdict.reason) ? bind : boundedName(counts, bind, of)) + of, 1);
}

/** Told by their number alone, and nowhere else. */
export function lose(counts: FoldZone, bind: string, denials: number): void {
  const of = '\tlost\tlog-write';
  addTo(counts, boundedName(counts, bind, of) + of, denials);
}

/** Whether the object is one that the policy has: where it is not, a client may have chosen its name. */
export function isOfPolicy(reason: string): boolean {
  return reason !== 'unknown-object' && reason !== 'no-policy' && reason !== 'internal-error';
}

/** Pages that are free: a share of a dictionary is left to what its names can't be made up of, so that it is never full. */
export function hasRoom(zone: FoldZone): boolean {
  return zone.freeSpace() > zone.capacity / 8;
}

/** Names for which there is no room are counted together, without one. */
function boundedName(counts: FoldZone, bind: string, of: string): string {
  return counts.get(bind + of) !== undefined || hasRoom(counts) ? bind : '';
}

/** `name` is that of an object that the policy has, or one that was found to be in bounds. */
export function addTo(counts: FoldZone, name: string, more: number): void {
  try {
    counts.incr(name, more, 0);
  } catch (_full) {
    // A full zone of counters must not deny; the sum of what is there then lies below the ledger's, which shows.
  }
}
