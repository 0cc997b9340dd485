import type { Collector } from '@edgeward/audit-collector';

/** Denials at each point since this service counts them: for a store, which makes a rate of them. */
export interface DenialCounts {
  /** From now on, once for each point: what was denied in earlier lives of this service would look like an attack of now. */
  begin(point: string): void;
  /** `total` only grows while `sinceMs` stays. */
  of(point: string): { total: number; sinceMs: number };
}

/** `atHost`: what a host counted, as it said last; null for another kind of point, and before it said anything. */
export function countDenials(
  collector: Pick<Collector, 'status' | 'listeners'>,
  nowMs: () => number,
  atHost: (point: string) => number | null = () => null,
): DenialCounts {
  const counters = new Map<string, { first: number; last: number; sinceMs: number }>();
  const startedAtMs = nowMs();
  return {
    begin(point) {
      const first = counters.has(point) ? null : (atHost(point) ?? enforcedAt(point, collector));
      if (first !== null) counters.set(point, { first, last: 0, sinceMs: nowMs() });
    },
    of(point) {
      const counter = counters.get(point);
      if (counter === undefined) return { total: 0, sinceMs: startedAtMs };
      counter.last = Math.max(counter.last, (atHost(point) ?? enforcedAt(point, collector) ?? 0) - counter.first);
      return { total: counter.last, sinceMs: counter.sinceMs };
    },
  };
}

/** Over all its lives; null where nobody can say. */
function enforcedAt(point: string, collector: Pick<Collector, 'status' | 'listeners'>): number | null {
  const log = collector.status().find((it) => it.point === point);
  const listener = collector.listeners().find((it) => it.point === point);
  return log?.enforced ?? listener?.observed ?? null;
}
