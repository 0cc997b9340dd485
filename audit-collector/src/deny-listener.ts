/**
 * The denials that one point sends: a syslog listener, the memory behind it and the ledger. A message is in the ledger
 * at most 50 ms after it arrived, unless the ledger cannot be written; its number decides whether it is new.
 */
import { sampleOf } from '@edgeward/deny-log';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { ClaimedCounts } from './claimed-counts.ts';
import type { CollectorMetrics } from './collector-metrics.ts';
import { byCause, type ListenerStatus, lastEventOf, statusError } from './collector-status.ts';
import { type DenyEvent, denyEvent, type Labels } from './deny-event.ts';
import { type DenyMessage, readDenyMessage } from './deny-message.ts';
import type { Ledger, StoredDenial } from './ledger/ledger.ts';
import type { LedgerSums } from './ledger/sums.ts';
import { createSyslogIntake } from './syslog-intake.ts';
import { type CloseCause, createSyslogServer, type RefusalCause } from './syslog-listener.ts';
import type { SyslogMetrics } from './syslog-metrics.ts';
import type { SyslogListener } from './syslog-options.ts';

export interface DenyListener {
  readonly point: string;
  start(): Promise<void>;
  load(): { point: string; connections: number; waiting: number };
  status(counts: ListenerCounts): ListenerStatus;
  close(): Promise<void>;
}

type ListenerCounts = Pick<LedgerSums, 'totals' | 'unparsed' | 'sequences'>;

export interface DenyListenerOptions {
  listener: SyslogListener;
  ledger: Pick<Ledger, 'storeNumbered'>;
  labels: Labels;
  claimed: ClaimedCounts;
  now: () => number;
  logger: Logger;
  /** Runs at most once in a while for each key. */
  seldom: (key: string, run: () => void) => void;
  metrics: Pick<CollectorMetrics, 'stored' | 'unparsed'>;
  syslogMetrics: SyslogMetrics;
  onStored(stored: readonly StoredDenial[]): void;
}

export function createDenyListener(options: DenyListenerOptions): DenyListener {
  const { listener, ledger, labels, claimed, now, logger, seldom, metrics, syslogMetrics } = options;
  const { point, listen } = listener;
  const log = `syslog ${listen.host}:${listen.port}`;
  const refused = new Map<RefusalCause, number>();
  const closed = new Map<CloseCause, number>();

  /** What is not believed has its number, which is missing then. */
  function believed(message: DenyMessage): DenyMessage {
    const { number, record } = message;
    if (record === null || claimed(point, record.count ?? 1)) return message;
    return { number, record: null, unparsed: { cause: 'wrong-shape', sample: sampleOf(JSON.stringify(record)) } };
  }

  async function store(messages: readonly DenyMessage[]): Promise<void> {
    const eventOf = ({ record }: DenyMessage): DenyEvent | null => record && denyEvent(record, point, labels);
    const denials = messages.flatMap((message) =>
      message.number === null ? [] : [{ number: message.number, event: eventOf(message) }],
    );
    const unparsed = messages.flatMap((message) => message.unparsed ?? []);
    const result = await ledger.storeNumbered({ point, log, storedMs: now(), denials, unparsed });
    syslogMetrics.taken(point, result);
    metrics.stored(result.stored, now());
    for (const { cause } of unparsed) metrics.unparsed(point, cause);
    tellOf(result, unparsed[0]);
    options.onStored(result.stored);
  }

  function tellOf({ missing, suppressed }: { missing: number; suppressed: number }, sample: unknown): void {
    const warn = (event: string, fields: object, text: string): void =>
      seldom(`${event} ${point}`, () => logger.warn({ event, point, ...fields }, text));
    if (missing > 0) warn('deny_gap', { missing }, 'numbers of denials are missing');
    if (suppressed > 0) warn('deny_suppressed', { suppressed }, 'the point left denials unsent');
    if (sample) warn('deny_message_unparsed', sample, 'kept');
  }

  const intake = createSyslogIntake({
    store,
    onRoom: () => server.resume(),
    onFailed: (thrown) =>
      seldom(`store ${point}`, () =>
        logger.error({ event: 'deny_messages_wait', point, err: thrown }, messageOf(thrown)),
      ),
  });
  const server = createSyslogServer(listener, {
    hasRoom: intake.hasRoom,
    frame: (frame) => intake.add(believed(readDenyMessage(frame)), frame.kind === 'message' ? frame.bytes.length : 0),
    refused(cause, address, why) {
      refused.set(cause, (refused.get(cause) ?? 0) + 1);
      syslogMetrics.refused(point, cause);
      const fields = { event: 'syslog_refused', point, cause, address, err: why };
      seldom(`refused ${point} ${cause}`, () => logger.warn(fields, 'connection refused'));
    },
    closed(cause, address) {
      closed.set(cause, (closed.get(cause) ?? 0) + 1);
      syslogMetrics.closed(point, cause);
      seldom(`closed ${point}`, () => logger.warn({ event: 'syslog_closed', point, cause, address }, 'overdue'));
    },
    failed: (thrown) =>
      seldom(`listener ${point}`, () =>
        logger.error({ event: 'syslog_listener_failed', point, err: thrown }, messageOf(thrown)),
      ),
  });

  return {
    point,
    start: () => server.start(),
    load: () => ({ point, connections: server.connections(), waiting: intake.waiting() }),
    status({ totals, unparsed, sequences }) {
      const found = sequences.find((total) => total.point === point);
      const { stored, missing, suppressed } = found ?? { stored: 0, missing: 0, suppressed: 0 };
      const error = server.error() ?? intake.error();
      return {
        point,
        listen: { host: listen.host, port: server.port() },
        connections: server.connections(),
        ...{ stored, missing, suppressed, observed: stored + missing + suppressed },
        unparsed: byCause(unparsed, point),
        refused: Object.fromEntries(refused),
        closed: Object.fromEntries(closed),
        waiting: intake.waiting(),
        lastEventAt: lastEventOf(totals, point),
        error: error === null ? null : statusError(error),
      };
    },
    async close() {
      await server.close();
      const dropped = await intake.close();
      if (dropped === 0) return;
      syslogMetrics.dropped(point, dropped);
      logger.error({ event: 'deny_messages_dropped', point, dropped }, 'the ledger could not be written to the end');
    },
  };
}
