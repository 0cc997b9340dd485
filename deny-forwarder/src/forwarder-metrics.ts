/** What a scrape sees of a forwarder. No label carries what a client can choose. */
import type { Loss, LossCause, Unparsed, UnparsedCause } from '@edgeward/deny-log';
import { metricGroup, type Registry } from '@edgeward/runtime';

export interface ForwarderCounts {
  read(found: { lines: number; unparsed: readonly Unparsed[]; losses: readonly Loss[] }): void;
  spooled(records: number): void;
  /** Denials that could be kept nowhere. */
  shed(denials: number): void;
  /** Again counts again. */
  sent(records: number, seconds: number): void;
  acknowledged(records: number): void;
  retried(cause: RetryCause): void;
}

type RetryCause = 'later' | 'refused' | 'unanswered';

export interface ForwarderReadings {
  unreadBytes(): number;
  isHolding(): boolean;
  spool(): { bytes: number; pending: number; shed: number };
  maxBytes: number;
  /** Since the oldest record that waits was denied; 0: none waits. */
  oldestSeconds(): number;
  /** Milliseconds since the epoch; 0 for not since this process began. */
  lastAcknowledgedMs(): number;
  /** Codes of what is wrong now. */
  failing(): string[];
}

const batchBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function forwarderMetrics(registry: Registry, readings: ForwarderReadings): ForwarderCounts {
  const group = metricGroup(registry);
  const counter = (name: string, help: string): { inc(by: number): void } => group.counter(name, help, []);
  const lines = counter('edgeward_forwarder_lines_read_total', 'Lines of the deny log that were read.');
  const unparsed = group.counter(
    'edgeward_forwarder_unparsed_total',
    'Lines that could not be read; each is sent as a sample.',
    ['cause'],
  );
  const losses = group.counter(
    'edgeward_forwarder_losses_total',
    'Times that lines may have been lost before they were read.',
    ['cause'],
  );
  const spooled = counter('edgeward_forwarder_records_spooled_total', 'Records that were written to the spool.');
  const shed = counter(
    'edgeward_forwarder_shed_denials_total',
    'Denials that could be kept nowhere: neither the spool nor the log had room. The collector gets their number.',
  );
  const sent = counter('edgeward_forwarder_records_sent_total', 'Records that were sent, each as often as it was.');
  const acknowledged = counter(
    'edgeward_forwarder_records_acknowledged_total',
    'Records that the collector has stored.',
  );
  const retries = group.counter(
    'edgeward_forwarder_retries_total',
    'Batches that have to be sent again: asked to come later, refused, unanswered.',
    ['cause'],
  );
  const seconds = group.histogram(
    'edgeward_forwarder_batch_seconds',
    'From sending a batch to its answer, whatever it was.',
    [],
    batchBuckets,
  );
  const gauge = (name: string, help: string, read: () => number): void =>
    group.gauge(name, help, [], (say) => say({}, read()));
  gauge('edgeward_forwarder_unread_bytes', 'Bytes of the deny log not read yet.', readings.unreadBytes);
  gauge('edgeward_forwarder_holding', '1 while lines are left in the log, because the spool has no room.', () =>
    readings.isHolding() ? 1 : 0,
  );
  gauge('edgeward_forwarder_spool_records', 'Records that wait for the collector.', () => readings.spool().pending);
  gauge('edgeward_forwarder_spool_bytes', 'Size of the spool on disk.', () => readings.spool().bytes);
  gauge('edgeward_forwarder_spool_limit_bytes', 'Size that the spool may have.', () => readings.maxBytes);
  gauge(
    'edgeward_forwarder_spool_shed_denials',
    'Denials that were shed and have no record of it yet.',
    () => readings.spool().shed,
  );
  gauge(
    'edgeward_forwarder_spool_oldest_age_seconds',
    'Since the oldest record that waits was denied; 0 while none waits.',
    readings.oldestSeconds,
  );
  gauge(
    'edgeward_forwarder_last_acknowledged_timestamp_seconds',
    'When the collector acknowledged something last; 0 for not since this process began.',
    () => readings.lastAcknowledgedMs() / 1000,
  );
  group.gauge('edgeward_forwarder_failing', '1 for each code of what is wrong now.', ['code'], (say) => {
    for (const code of readings.failing()) say({ code });
  });
  // All are there from the start: an alarm on what never was would never sound.
  for (const cause of ['truncated', 'replaced', 'gone'] satisfies LossCause[]) losses.inc({ cause }, 0);
  for (const cause of ['torn', 'not-json', 'wrong-shape'] satisfies UnparsedCause[]) unparsed.inc({ cause }, 0);
  return {
    read(found) {
      lines.inc(found.lines);
      for (const { cause } of found.unparsed) unparsed.inc({ cause });
      for (const { cause } of found.losses) losses.inc({ cause });
    },
    spooled: (records) => spooled.inc(records),
    shed: (denials) => shed.inc(denials),
    sent(records, took) {
      sent.inc(records);
      seconds.observe(took);
    },
    acknowledged: (records) => acknowledged.inc(records),
    retried: (cause) => retries.inc({ cause }),
  };
}
