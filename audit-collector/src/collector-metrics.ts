/**
 * What a scrape sees. No label carries what a client can choose: no address, path, host or reference. Names of rules and
 * objects are kept up to a limit and are `other` past it. The ledger's own counts stand beside the points' counters, so
 * that a difference shows.
 */
import { Counter, Gauge, Histogram, type Registry } from '@edgeward/runtime';
import type { DenyEvent } from './deny-event.ts';
import type { UnparsedCause } from './deny-log.ts';
import type { Ledger } from './ledger.ts';
import type { LossCause } from './log-cursor.ts';

export interface CollectorMetrics {
  stored(event: DenyEvent, nowMs: number): void;
  unparsed(point: string, cause: UnparsedCause): void;
  lost(point: string, cause: LossCause): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

const maxNames = 2_000;
const delayBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600];

export function collectorMetrics(
  registry: Registry,
  ledger: Pick<Ledger, 'totals' | 'enforced'>,
  lags: () => { point: string; lagBytes: number }[],
): CollectorMetrics {
  const registers = [registry];
  const ruleName = bounded();
  const objectName = bounded();
  const denials = new Counter({
    name: 'edgeward_denials_total',
    help: 'Denials stored since this process began; rule is empty where none decided',
    labelNames: ['point', 'object', 'rule', 'reason', 'verdict'],
    registers,
  });
  const stored = new Counter({
    name: 'edgeward_events_stored_total',
    help: 'Deny events stored since this process began',
    labelNames: ['point'],
    registers,
  });
  const unparsed = new Counter({
    name: 'edgeward_events_unparsed_total',
    help: 'Lines of a deny log that could not be read; the last hundred are in the table quarantine of the ledger',
    labelNames: ['point', 'cause'],
    registers,
  });
  const losses = new Counter({
    name: 'edgeward_deny_log_losses_total',
    help: 'Times that lines of a deny log may have been lost before they were read',
    labelNames: ['point', 'cause'],
    registers,
  });
  const delay = new Histogram({
    name: 'edgeward_event_delay_seconds',
    help: 'From the denial, by the clock of its point, to its place in the ledger',
    labelNames: ['point'],
    buckets: delayBuckets,
    registers,
  });
  const labelNames = ['point', 'object', 'reason'] as const;
  const gauges = [
    counted('edgeward_enforced_denials_total', "Denials by the point's own counters, over all its lives", () =>
      ledger.enforced(),
    ),
    counted('edgeward_ledger_denials', 'Denials ever stored in the ledger', () => ledger.totals()),
    new Gauge({
      name: 'edgeward_deny_log_lag_bytes',
      help: 'Bytes of the deny log not read yet',
      labelNames: ['point'],
      registers,
      collect() {
        this.reset();
        for (const { point, lagBytes } of lags()) this.inc({ point }, lagBytes);
      },
    }),
  ];

  function counted(name: string, help: string, counts: () => Count[]): Gauge {
    return new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { point, object, reason, count } of readable(counts)) {
          this.inc({ point, object: objectName(object), reason }, count);
        }
      },
    });
  }

  return {
    stored({ point, object, rule, reason, verdict, count, time }, nowMs) {
      const named = { object: objectName(object), rule: ruleName(rule ?? '') };
      denials.inc({ point, ...named, reason, verdict }, count);
      stored.inc({ point });
      delay.observe({ point }, Math.max(0, nowMs - Date.parse(time)) / 1000);
    },
    unparsed: (point, cause) => unparsed.inc({ point, cause }),
    lost: (point, cause) => losses.inc({ point, cause }),
    close() {
      const all = [denials, stored, unparsed, losses, delay, ...gauges] as unknown as { name: string }[];
      for (const { name } of all) registry.removeSingleMetric(name);
    },
  };
}

interface Count {
  point: string;
  object: string;
  reason: string;
  count: number;
}

/** A ledger that cannot be read leaves these gauges empty; every other metric is still wanted, then most of all. */
function readable(counts: () => Count[]): Count[] {
  try {
    return counts();
  } catch {
    return [];
  }
}

/** The first names keep theirs. */
function bounded(): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    if (known.has(name)) return name;
    if (known.size >= maxNames) return 'other';
    known.add(name);
    return name;
  };
}
