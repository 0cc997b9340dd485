/**
 * What points say of themselves, out of the stream that keeps it while the store is away. Who speaks is told by the
 * subject, which the server let that user write to; what the text says of itself has to agree. The newest report of each
 * point counts, so losing one costs a minute.
 */

import { type NatsLink, natsLayout } from '@edgeward/policy-feed';
import { isName, parseCanonical } from '@edgeward/policy-format';
import { backoff, type Clock, type Logger, messageOf, pauseFor, whilePausing } from '@edgeward/runtime';
import {
  AckPolicy,
  type Consumer,
  JetStreamApiError,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

export interface ReportIntakeOptions {
  link: NatsLink;
  clock: Clock;
  logger: Logger;
  /** A report of this point, of the right shape on the outside only: it is the caller's to judge the rest. */
  onReport: (point: string, report: Record<string, unknown>) => Promise<void> | void;
  /** One that is not of its point, or no report at all. */
  onRefused: (reason: string) => void;
}

const REPORT_BYTES = 16 * 1024;
const STREAM = natsLayout.STREAMS.reports;
const BATCH = 256;
const WAIT_MS = 5_000;
const REPORT_TYPE = 'edgeward-report/1';

/** The answer ends it, after the report that is being looked at. */
export function takeReports(options: ReportIntakeOptions): () => Promise<void> {
  const { link, clock, logger } = options;
  const ending = new AbortController();
  const pauses = backoff({ baseMs: 500, maxMs: 10_000 });

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        const connection = await link.ready(WAIT_MS, ending.signal);
        const consumer = await durable(connection);
        while (!ending.signal.aborted && !connection.isClosed()) {
          await takeBatch(consumer, options, ending.signal);
          pauses.reset();
        }
      } catch (thrown) {
        if (ending.signal.aborted) return;
        logger.debug({ event: 'nats_reports_waiting', nats: link.name }, messageOf(thrown));
        await whilePausing(pauseFor(clock, pauses.nextMs()), ending.signal);
      }
    }
  }

  const done = run();
  return async () => {
    ending.abort(new Error('closed'));
    await done;
  };
}

async function durable(connection: NatsConnection): Promise<Consumer> {
  const name = natsLayout.REPORT_CONSUMER;
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: WAIT_MS });
  try {
    await manager.consumers.info(STREAM, name);
  } catch (thrown) {
    if (!(thrown instanceof JetStreamApiError)) throw thrown;
    await manager.consumers.add(STREAM, { name, durable_name: name, ack_policy: AckPolicy.Explicit });
  }
  return jetstream(connection, { timeout: WAIT_MS }).consumers.getConsumerFromInfo(
    await manager.consumers.info(STREAM, name),
  );
}

async function takeBatch(consumer: Consumer, options: ReportIntakeOptions, signal: AbortSignal): Promise<void> {
  const messages = await consumer.fetch({ max_messages: BATCH, expires: WAIT_MS });
  const stop = (): void => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const message of messages) {
      await takeOne(message, options);
      message.ack();
      if (signal.aborted) return;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** What can't be taken is not brought again: the next one comes within a minute. */
async function takeOne(message: JsMsg, options: ReportIntakeOptions): Promise<void> {
  const token = message.subject.slice(message.subject.lastIndexOf('.') + 1);
  const point = natsLayout.pointOfToken(token);
  try {
    const report = parseCanonical(message.data, 'a report', REPORT_BYTES);
    if (!isName(point) || !isReportOf(report, point)) return options.onRefused('shape');
    await options.onReport(point, report);
  } catch (thrown) {
    options.onRefused('unreadable');
    options.logger.debug({ event: 'nats_report_refused', point: isName(point) ? point : null }, messageOf(thrown));
  }
}

function isReportOf(value: unknown, point: string): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'typ' in value && value.typ === REPORT_TYPE && 'point' in value && value.point === point;
}
