/**
 * Equal denials as one, with their count and their time: where there is little room, what is kept of each is that it happened.
 * The last of them stands for all; the references of the others are given up. Pure.
 */
import type { DenyRecord } from '@edgeward/deny-log';

export function folded(denials: readonly DenyRecord[]): DenyRecord[] {
  const byKey = new Map<string, DenyRecord>();
  for (const denial of denials) {
    const key = keyOf(denial);
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? denial : both(known, denial));
  }
  return [...byKey.values()];
}

/** NGINX may have folded each of the two already. */
function both(earlier: DenyRecord, later: DenyRecord): DenyRecord {
  const count = (earlier.count ?? 1) + (later.count ?? 1);
  return { ...later, count, firstMs: Math.min(earlier.firstMs ?? earlier.t, later.firstMs ?? later.t) };
}

/** All but when, how many, which port of the client, and the reference. As JSON, because a path may hold whatever would stand between. */
function keyOf(denial: DenyRecord): string {
  const { t: _t, ref: _ref, peerPort: _peerPort, count: _count, firstMs: _firstMs, ...rest } = denial;
  return JSON.stringify(Object.values(rest));
}
