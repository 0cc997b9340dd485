/** What a scrape sees of whoever sends batches. Labels are names from the configuration and codes; nothing of a request. */
import { metricGroup, type Registry } from '@edgeward/runtime';
import type { SenderStatus } from './sender-book.ts';

export interface BatchMetrics {
  taken(sender: string): void;
  /** `sender` is null where it is nobody of ours. */
  refused(sender: string | null, code: string): void;
  deferred(sender: string): void;
  handshakeFailed(): void;
  /** Takes the metrics back out of the registry. */
  close(): void;
}

export function batchMetrics(
  registry: Registry,
  senders: readonly string[],
  status: () => readonly SenderStatus[],
): BatchMetrics {
  const group = metricGroup(registry);
  const taken = group.counter('edgeward_batches_taken_total', 'Batches of denials that were stored and acknowledged.', [
    'sender',
  ]);
  const refused = group.counter(
    'edgeward_batches_refused_total',
    'Batches of denials that were not taken, by code; sender is empty where it is nobody who may send. The sender keeps them.',
    ['sender', 'code'],
  );
  const deferred = group.counter(
    'edgeward_batches_deferred_total',
    'Batches of denials that were put off because their sender brings more records than was agreed. The sender keeps them.',
    ['sender'],
  );
  const handshakes = group.counter(
    'edgeward_batch_handshakes_failed_total',
    'Connections to the listener of batches without a certificate of its authority.',
    [],
  );
  group.gauge(
    'edgeward_sender_last_heard_timestamp_seconds',
    'When a sender of batches was last heard; 0 where it was not since this process began.',
    ['sender'],
    (say) => {
      for (const { name, heard } of status()) say({ sender: name }, heard === null ? 0 : Date.parse(heard.at) / 1000);
    },
  );
  const gauge = (name: string, help: string, of: (heard: NonNullable<SenderStatus['heard']>) => number): void =>
    group.gauge(name, help, ['sender'], (say) => {
      for (const { name, heard } of status()) if (heard !== null) say({ sender: name }, of(heard));
    });
  gauge(
    'edgeward_sender_waiting_records',
    'Records that waited at a sender of batches when it was last heard.',
    ({ waiting }) => waiting.records,
  );
  gauge(
    'edgeward_sender_unread_bytes',
    'Bytes of its deny log that a forwarder had not read when it was last heard.',
    ({ waiting }) => waiting.unreadBytes,
  );
  gauge(
    'edgeward_sender_shed_denials',
    'Denials that a sender could keep nowhere and has no record of yet, when it was last heard.',
    ({ waiting }) => waiting.shed,
  );
  gauge(
    'edgeward_sender_clock_skew_seconds',
    'How far the clock of a sender is ahead of this one, the time on the way included.',
    ({ skewMs }) => skewMs / 1000,
  );
  // All are there from the start: an alarm on what never was would never sound.
  for (const sender of senders) {
    taken.inc({ sender }, 0);
    deferred.inc({ sender }, 0);
  }
  return {
    taken: (sender) => taken.inc({ sender }),
    refused: (sender, code) => refused.inc({ sender: sender ?? '', code }),
    deferred: (sender) => deferred.inc({ sender }),
    handshakeFailed: () => handshakes.inc(),
    close: group.close,
  };
}
