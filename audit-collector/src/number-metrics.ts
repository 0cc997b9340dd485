/**
 * What the numbers of those who number told: what never came, came late or came twice. One set of names for whoever
 * numbers: the TMMs of a BIG-IP, the spools of hosts and forwarders, the ledgers of services.
 */
import { metricGroup, type Registry } from '@edgeward/runtime';
import type { NumberedResult } from './ledger/ledger.ts';

export interface NumberMetrics {
  taken(sender: string, result: Pick<NumberedResult, 'missing' | 'late' | 'repeated'>): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

export function numberMetrics(registry: Registry): NumberMetrics {
  const group = metricGroup(registry);
  const missing = group.counter(
    'edgeward_events_missing_total',
    'Numbers of events found missing since this process began, those that came later included.',
    ['point'],
  );
  const late = group.counter('edgeward_events_late_total', 'Events that came after they were missing.', ['point']);
  const duplicates = group.counter(
    'edgeward_events_duplicates_total',
    'Events that came again and were stored before: their answer had not arrived.',
    ['point'],
  );
  return {
    taken(point, result) {
      missing.inc({ point }, result.missing);
      late.inc({ point }, result.late);
      duplicates.inc({ point }, result.repeated);
    },
    close: group.close,
  };
}
