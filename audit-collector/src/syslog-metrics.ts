/**
 * What a scrape sees of the listeners for syslog. Every way in which a connection or a message can come to nothing has a
 * counter of its own; what numbers tell is beside it, in `number-metrics`.
 */
import { metricGroup, type Registry } from '@edgeward/runtime';
import type { NumberMetrics } from './number-metrics.ts';
import type { CloseCause, RefusalCause } from './syslog-listener.ts';

export interface SyslogMetrics {
  taken: NumberMetrics['taken'];
  refused(point: string, cause: RefusalCause): void;
  closed(point: string, cause: CloseCause): void;
  dropped(point: string, count: number): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

export function syslogMetrics(
  registry: Registry,
  numbers: Pick<NumberMetrics, 'taken'>,
  listeners: () => { point: string; connections: number; waiting: number }[],
): SyslogMetrics {
  const group = metricGroup(registry);
  const refused = group.counter('edgeward_syslog_refused_total', 'Connections that were not taken.', [
    'point',
    'cause',
  ]);
  const closed = group.counter('edgeward_syslog_closed_total', 'Connections that were closed as overdue.', [
    'point',
    'cause',
  ]);
  const dropped = group.counter(
    'edgeward_syslog_dropped_total',
    'Messages in memory that no ledger took before the collector ended.',
    ['point'],
  );
  group.gauge('edgeward_syslog_connections', 'Connections to the listener of the point.', ['point'], (say) => {
    for (const { point, connections } of listeners()) say({ point }, connections);
  });
  group.gauge('edgeward_syslog_waiting_messages', 'Messages in memory that wait for the ledger.', ['point'], (say) => {
    for (const { point, waiting } of listeners()) say({ point }, waiting);
  });
  return {
    taken: numbers.taken,
    refused: (point, cause) => refused.inc({ point, cause }),
    closed: (point, cause) => closed.inc({ point, cause }),
    dropped: (point, count) => dropped.inc({ point }, count),
    close: group.close,
  };
}
