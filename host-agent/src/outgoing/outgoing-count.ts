/**
 * Totals over counters that begin at 0 with each boot, and wherever our rules are made anew. What was added since the last look
 * is what a counter has more, or all that it has where it began again: a total never goes back. What a counter had beyond its
 * last look when it went is known to nobody. Pure.
 */
import * as z from 'zod';
import type { OutgoingCounter } from '../../driver/index.ts';
import type { HostOutgoing } from '../../protocol/host-report.ts';

export interface OutgoingCount {
  v: 1;
  /** The kernel's id of the boot that the counters are of. */
  boot: string;
  /** Packets of each counter when it was last read. */
  baseline: Record<string, number>;
  totals: HostOutgoing;
}

const count = z.int().nonnegative();
const schema: z.ZodType<OutgoingCount> = z.object({
  v: z.literal(1),
  boot: z.string(),
  baseline: z.record(z.string(), count),
  totals: z.object({ tcp: count, udp: count, other: count }),
});

export function newCount(boot: string): OutgoingCount {
  return { v: 1, boot, baseline: {}, totals: { tcp: 0, udp: 0, other: 0 } };
}

/** Throws for a text that is none. */
export function readCount(text: string, boot: string): OutgoingCount {
  const known = schema.parse(JSON.parse(text));
  return known.boot === boot ? known : { ...known, boot, baseline: {} };
}

export function countOn(before: OutgoingCount, counters: readonly OutgoingCounter[]): OutgoingCount {
  const baseline: OutgoingCount['baseline'] = {};
  const totals = { ...before.totals };
  for (const { family, protocol, packets } of counters) {
    const key = `${family} ${protocol}`;
    const last = before.baseline[key] ?? 0;
    totals[protocol] += packets >= last ? packets - last : packets;
    baseline[key] = packets;
  }
  return { ...before, baseline, totals };
}

/** Who reads `before` later would take what comes now for what was counted then. */
export function beganAgain(before: OutgoingCount, after: OutgoingCount): boolean {
  return Object.entries(before.baseline).some(([key, packets]) => (after.baseline[key] ?? 0) < packets);
}

export function isSameTotal({ totals: one }: OutgoingCount, { totals: other }: OutgoingCount): boolean {
  return one.tcp === other.tcp && one.udp === other.udp && one.other === other.other;
}
