/**
 * What a forwarder tells of a deny log, as the records of its batches: a denial as it was read, so many equal ones as one, a
 * line that could not be read, a place where lines may have been lost, and denials that were counted and could be kept
 * nowhere. Labels are not among it: whoever knows the policy finds them. Pure.
 */
import type { DenyRecord, Unparsed, UnparsedCause } from './deny-log.ts';
import type { Loss, LossCause } from './log-cursor.ts';

export interface WireDenial {
  kind: 'denial';
  /** As the point wrote it; of several the last. */
  denial: DenyRecord;
  /** Equal ones: 1 without it. */
  count?: number | undefined;
  /** When the first of them was, in milliseconds since the epoch; that of `denial` without it. */
  firstMs?: number | undefined;
}

/** `cause` is `spool-full`: there was no room to keep them. */
export interface WireGap {
  kind: 'gap';
  cause: 'spool-full';
  count: number;
  windowStart: string;
  windowEnd: string;
}

export interface WireUnparsed {
  kind: 'unparsed';
  cause: UnparsedCause;
  sample: string;
}

export interface WireLoss {
  kind: 'loss';
  cause: LossCause;
  inode: string;
  offset: number;
}

export type WireRecord = WireDenial | WireGap | WireUnparsed | WireLoss;

export function denialText({ count, firstMs, ...denial }: DenyRecord): string {
  const one: WireDenial = { kind: 'denial', denial };
  return JSON.stringify(count === undefined ? one : { ...one, count, firstMs: firstMs ?? denial.t });
}

export function gapText({ count, fromMs, toMs }: { count: number; fromMs: number; toMs: number }): string {
  const [windowStart, windowEnd] = [fromMs, Math.max(fromMs, toMs)].map((ms) => new Date(ms).toISOString());
  return JSON.stringify({ kind: 'gap', cause: 'spool-full', count, windowStart, windowEnd });
}

export function unparsedText({ cause, sample }: Unparsed): string {
  return JSON.stringify({ kind: 'unparsed', cause, sample } satisfies WireUnparsed);
}

export function lossText({ cause, inode, offset }: Loss): string {
  return JSON.stringify({ kind: 'loss', cause, inode, offset } satisfies WireLoss);
}
