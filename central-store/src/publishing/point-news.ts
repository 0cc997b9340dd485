/** What leads from what somebody holds to the newest: nothing, a delta, a snapshot, or another epoch. */
import type { Cursor, Delta } from '@edgeward/policy-format';
import { isSameCursor } from './delta-history.ts';
import type { PublishedPoint } from './published-point.ts';

export type PointNews =
  /** Nothing is published for this point. */
  | { state: 'none' }
  | { state: 'unchanged' }
  | { state: 'delta'; delta: Delta }
  /** Too long ago, or from somewhere else: the head is the way. */
  | { state: 'snapshot' }
  | { state: 'other-epoch'; epoch: number };

export function newsSince(published: PublishedPoint | null, from: Cursor): PointNews {
  if (published === null) return { state: 'none' };
  const { cursor, signed, history } = published;
  if (from.epoch !== cursor.epoch) return { state: 'other-epoch', epoch: cursor.epoch };
  if (isSameCursor(from, cursor)) return { state: 'unchanged' };
  const operations = history.since(from);
  if (operations === null) return { state: 'snapshot' };
  return { state: 'delta', delta: { typ: 'edgeward-delta/1', from, operations, head: signed } };
}
