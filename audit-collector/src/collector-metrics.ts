/**
 * What a scrape sees of what was stored. No label carries what a client can choose: no address, path, host or reference, and
 * names are bounded. The ledger's own counts stand beside the points' counters, so that a difference shows.
 */
import type { LossCause, UnparsedCause } from '@edgeward/deny-log';
import { type Counter, metricGroup, type Registry } from '@edgeward/runtime';
import { instantMs } from './instants.ts';
import type { StoredDenial } from './ledger/ledger.ts';
import { rowKey } from './ledger/row-key.ts';
import type { LedgerSums } from './ledger/sums.ts';
import type { MetricNames } from './metric-names.ts';
import type { NewEdges } from './new-edges.ts';

export interface CollectorMetrics {
  /** Of one commit. */
  stored(denials: readonly StoredDenial[], nowMs: number): void;
  unparsed(point: string, cause: UnparsedCause): void;
  lost(point: string, cause: LossCause): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

export interface CollectorReadings {
  sums(): Pick<LedgerSums, 'totals'>;
  /** With the names that events have now. */
  enforced(): LedgerSums['enforced'];
  logs(): { point: string; lagBytes: number; isUnreadable: boolean }[];
  /** Whether the ledger does not do what was asked of it. */
  isLedgerFailing(): boolean;
  edges: NewEdges;
  names: MetricNames;
}

const delayBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600];

export function collectorMetrics(registry: Registry, readings: CollectorReadings): CollectorMetrics {
  const group = metricGroup(registry);
  const { names } = readings;
  const denials = group.counter(
    'edgeward_denials_total',
    'Denials stored since this process began; rule is empty where none decided.',
    ['point', 'object', 'rule', 'reason', 'verdict'],
  );
  const stored = group.counter('edgeward_events_stored_total', 'Deny events stored since this process began.', [
    'point',
  ]);
  const folded = group.counter(
    'edgeward_folded_denials_total',
    'Of the denials stored, those that one event tells by their number, of a flood or of a host.',
    ['point'],
  );
  const unparsed = group.counter(
    'edgeward_events_unparsed_total',
    'Lines of a deny log, or messages, that could not be read; the ledger keeps the last hundred of each point as samples.',
    ['point', 'cause'],
  );
  const losses = group.counter(
    'edgeward_deny_log_losses_total',
    'Times that lines of a deny log may have been lost before they were read.',
    ['point', 'cause'],
  );
  const delay = group.histogram(
    'edgeward_event_delay_seconds',
    'From the denial, by the clock of its point, to its place in the ledger.',
    ['point'],
    delayBuckets,
  );
  const newEdges = group.counter(
    'edgeward_new_edges_total',
    'Denials that were the first from their source labels to their object and port; env is the label of the object.',
    ['object', 'env'],
  );
  /** By object and env, in milliseconds. */
  const newest = new Map<string, { labels: { object: string; env: string }; atMs: number }>();
  group.gauge(
    'edgeward_new_edge_timestamp_seconds',
    'When a denial was last the first from its source labels to its object and port, by when it was stored.',
    ['object', 'env'],
    (say) => {
      for (const { labels, atMs } of newest.values()) say(labels, atMs / 1000);
    },
  );
  const counted = (name: string, help: string, counts: () => Count[]): void =>
    group.total(name, help, ['point', 'object', 'reason'], (say) => {
      for (const { point, object, reason, count } of counts())
        say({ point: names.point(point), object: names.object(object), reason }, count);
    });
  counted(
    'edgeward_enforced_denials_total',
    "Denials by the point's own counters, over all its lives; would-deny included.",
    readings.enforced,
  );
  counted(
    'edgeward_ledger_denials_total',
    'Denials ever stored in the ledger, also those that retention has deleted.',
    () => readings.sums().totals,
  );
  group.gauge('edgeward_deny_log_lag_bytes', 'Bytes of the deny log not read yet.', ['point'], (say) => {
    for (const { point, lagBytes } of readings.logs()) say({ point }, lagBytes);
  });
  group.gauge(
    'edgeward_deny_log_unreadable',
    '1 while the deny log is there and is not read, or its folder is away.',
    ['point'],
    (say) => {
      for (const { point, isUnreadable } of readings.logs()) say({ point }, isUnreadable ? 1 : 0);
    },
  );
  group.gauge('edgeward_ledger_failing', '1 while the ledger does not do what is asked of it.', [], (say) =>
    say({}, readings.isLedgerFailing() ? 1 : 0),
  );

  function edgeIsNew(labels: { object: string; env: string }, nowMs: number): void {
    newEdges.inc(labels);
    newest.set(JSON.stringify(labels), { labels, atMs: nowMs });
  }

  return {
    stored(batch, nowMs) {
      const [byKind, byPoint, repeated] = [sumsOf(denials), sumsOf(stored), sumsOf(folded)];
      for (const { event } of batch) {
        const { reason, verdict, count, time } = event;
        const [point, object, rule] = [
          names.point(event.point),
          names.object(event.object),
          names.rule(event.rule ?? ''),
        ];
        byKind.add(rowKey([point, object, rule, reason, verdict]), count, { point, object, rule, reason, verdict });
        byPoint.add(point, 1, { point });
        if (event.windowStart !== event.windowEnd) repeated.add(point, count, { point });
        delay.observe({ point: names.timedPoint(event.point) }, Math.max(0, nowMs - instantMs(time)) / 1000);
        if (readings.edges.isNew(event)) edgeIsNew({ object, env: names.env(event.objectLabels.env ?? '') }, nowMs);
      }
      for (const sums of [byKind, byPoint, repeated]) sums.tell();
    },
    unparsed: (point, cause) => unparsed.inc({ point, cause }),
    lost: (point, cause) => losses.inc({ point, cause }),
    close: group.close,
  };
}

/** Of a batch: a metric looks at each of its labels each time. */
function sumsOf<Label extends string>(
  counter: Counter<Label>,
): { add(key: string, count: number, labels: Record<Label, string>): void; tell(): void } {
  const sums = new Map<string, { count: number; labels: Record<Label, string> }>();
  return {
    add(key, count, labels) {
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, { count, labels });
      else sum.count += count;
    },
    tell() {
      for (const { count, labels } of sums.values()) counter.inc(labels, count);
    },
  };
}

interface Count {
  point: string;
  object: string;
  reason: string;
  count: number;
}
