/**
 * What a scrape sees of spools: records that never came, came late or came twice, and the denials that a point counted
 * and has no record of.
 */
import { Counter, Gauge, type Registry } from '@edgeward/runtime';
import type { SpoolResult } from './ledger.ts';
import type { UncoveredTotal } from './ledger-uncovered.ts';

export interface SpoolMetrics {
  taken(point: string, result: Pick<SpoolResult, 'missing' | 'late' | 'repeated'>): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

export function spoolMetrics(registry: Registry, uncovered: () => UncoveredTotal[]): SpoolMetrics {
  const registers = [registry];
  const counter = (name: string, help: string): Counter<'point'> =>
    new Counter({ name, help, labelNames: ['point'], registers });
  const missing = counter(
    'edgeward_spool_missing_total',
    'Numbers of records found missing since this process began, those that came later included',
  );
  const late = counter('edgeward_spool_late_total', 'Records that came after they were missing');
  const repeated = counter('edgeward_spool_repeated_total', 'Records that were stored before');
  const gaps = new Gauge({
    name: 'edgeward_uncovered_denials',
    help: 'Denials that a point counted and has no record of, over all its lives, by cause',
    labelNames: ['point', 'cause'],
    registers,
    collect() {
      this.reset();
      for (const { point, cause, count } of readable(uncovered)) this.set({ point, cause }, count);
    },
  });
  return {
    taken(point, result) {
      missing.inc({ point }, result.missing);
      late.inc({ point }, result.late);
      repeated.inc({ point }, result.repeated);
    },
    close() {
      const all = [missing, late, repeated, gaps] as unknown as { name: string }[];
      for (const { name } of all) registry.removeSingleMetric(name);
    },
  };
}

/** A ledger that cannot be read leaves this empty; every other metric is still wanted, then most of all. */
function readable(read: () => UncoveredTotal[]): UncoveredTotal[] {
  try {
    return read();
  } catch {
    return [];
  }
}
