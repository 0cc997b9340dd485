/**
 * Where batches of denials arrive (docs/batches.md): mutual TLS, one name a certificate, and a list of who may send and of
 * which points he may speak. A batch is answered once it is committed. Who sends too much, or comes while nothing can be
 * stored, is told when to come again; a request that trickles or stops is over after its time. Nothing is kept here: what is
 * not acknowledged waits at its sender.
 */
import type { X509Certificate } from 'node:crypto';
import { BATCH_PATH, type BatchAnswer, MAX_BATCH_BYTES } from '@edgeward/deny-log';
import {
  type Clock,
  createRateLimit,
  EdgewardError,
  type HttpFailure,
  type HttpRoute,
  type Logger,
  openTlsServer,
  type Registry,
  type TlsFiles,
  type TlsRequest,
} from '@edgeward/runtime';
import type { RecordIntake } from '../record-intake.ts';
import { batchText } from './batch-body.ts';
import { createBatchGate } from './batch-gate.ts';
import { batchMetrics } from './batch-metrics.ts';
import { type ReadBatch, readBatch, unreadableBatch } from './batch-reading.ts';
import { createSenderBook, type SenderStatus, type SpokenPoints } from './sender-book.ts';

export interface BatchListenerOptions {
  /** Any address of this machine. */
  listen: { host: string; port: number };
  files: TlsFiles;
  /** By the name in its certificate. */
  senders: ReadonlyMap<string, SpokenPoints>;
  /** Whether they may bring whole events, labels and all; not where a policy is known, which alone says who is who. */
  mayLabel?: boolean | undefined;
  /** The one name that a certificate is for; null: none, or several. */
  nameOf(peer: X509Certificate): string | null;
  intake: Pick<RecordIntake, 'takeBatch'>;
  /** Why nothing can be taken yet; null: it can. */
  hindrance?: (() => string | null) | undefined;
  /** Of one sender, over time. */
  recordsPerSecond: number;
  /** Time for a request to arrive: 15 s. */
  requestTimeoutMs?: number | undefined;
  registry: Registry;
  clock: Clock;
  logger: Logger;
}

export interface BatchListener {
  readonly url: string;
  readonly port: number;
  /** In the order in which they were given. */
  senders(): SenderStatus[];
  connections(): number;
  /** Looks at the certificate files now. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Twenty thousand records a second are less than ten batches; the rest is for catching up. */
const BATCHES = { perSecond: 50, burst: 100 };
/** Counted before a body is read, so that whoever is turned away costs little. */
const REQUESTS = { perSecond: 100, burst: 200 };
const CONNECTIONS_OF_ONE = 16;
/** Of one sender and one code; of all who are nobody of ours together. Each is counted. */
const WARNINGS = { perSecond: 0.1, burst: 1 };
const RETRY_S = 5;

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openBatchListener(options: BatchListenerOptions): Promise<BatchListener> {
  const { listen, files, senders, intake, recordsPerSecond, clock, logger } = options;
  const book = createSenderBook(senders);
  const metrics = batchMetrics(options.registry, [...senders.keys()], book.all);
  const warnings = createRateLimit(WARNINGS);
  const nameIn = (peer: X509Certificate): string => senderOf(options, peer);
  const gate = createBatchGate({
    ...{ batches: BATCHES, recordsPerSecond, clock, later },
    onDeferred: (sender) => metrics.deferred(sender),
  });

  async function take(request: TlsRequest): Promise<BatchAnswer> {
    const sender = nameIn(request.peer);
    const why = options.hindrance?.() ?? null;
    if (why !== null) throw later(503, why, RETRY_S);
    return gate.pass(
      sender,
      () => batchIn(request, sender),
      async ({ head, records }) => {
        book.heard(sender, head, request.remote, clock.now());
        const stored = records.length === 0 ? null : await storing(intake.takeBatch(sender, head.epoch, records));
        metrics.taken(sender);
        return { epoch: head.epoch, acknowledged: stored?.acknowledged ?? head.last };
      },
    );
  }

  async function batchIn(request: TlsRequest, sender: string): Promise<ReadBatch> {
    const text = await batchText(request, MAX_BATCH_BYTES, unreadableBatch);
    const points = senders.get(sender) ?? [];
    const maySpeakOf = (point: string): boolean => points === 'all' || points.includes(point);
    return readBatch(text, { sender, maySpeakOf, mayLabel: options.mayLabel ?? false });
  }

  const route: HttpRoute<TlsRequest> = {
    method: 'POST',
    path: BATCH_PATH,
    maxBodyBytes: MAX_BATCH_BYTES,
    handle: async (request) => ({ json: await take(request), bare: true }),
  };
  const { requestTimeoutMs } = options;
  const server = await openTlsServer<HttpRoute<TlsRequest>>({
    ...listen,
    ...{ files, clock, logger, routes: [route], minVersion: 'TLSv1.3' },
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    admit: admission(nameIn, clock),
    onFailure: async ({ remote, peer }, { status, error }) => {
      const name = peer === null ? null : options.nameOf(peer);
      const sender = name !== null && senders.has(name) ? name : null;
      metrics.refused(sender, error.code);
      if (sender !== null) book.refused(sender, status, error, clock.now());
      const isTold = status !== 429 && warnings.take(`${sender ?? ''} ${error.code}`, clock.now()) === 0;
      if (isTold) logger.warn({ event: 'batch_refused', sender: name, remote, code: error.code }, error.message);
    },
    onHandshakeFailed: (reason) => {
      metrics.handshakeFailed();
      logger.debug({ event: 'batch_handshake_failed', reason }, 'a connection without a good certificate');
    },
    statusOf: (error) => STATUS[error.code] ?? 500,
    maxConnectionsPerPeer: () => CONNECTIONS_OF_ONE,
  }).catch((thrown: unknown) => {
    metrics.close();
    throw thrown;
  });
  return {
    url: server.url,
    port: server.port,
    senders: book.all,
    connections: server.connections,
    reload: server.reload,
    async close() {
      await server.close();
      metrics.close();
    },
  };
}

const STATUS: Readonly<Record<string, number>> = { EDW_ERR_BATCH: 400, EDW_ERR_BATCH_SENDER: 403 };

/** Throws EDW_ERR_BATCH_SENDER. */
function senderOf({ nameOf, senders }: BatchListenerOptions, peer: X509Certificate): string {
  const name = nameOf(peer);
  if (name !== null && senders.has(name)) return name;
  const who = name === null ? 'a certificate that names no single point' : name;
  throw new EdgewardError('EDW_ERR_BATCH_SENDER', `taking denials: ${who} may not send here`, {
    mend: 'Name the sender in the configuration of the collector, or give it a certificate with the name that stands there.',
  });
}

function admission(
  nameIn: (peer: X509Certificate) => string,
  clock: Clock,
): (asked: { peer: X509Certificate }) => HttpFailure | null {
  const limit = createRateLimit(REQUESTS);
  return ({ peer }) => {
    const sender = nameIn(peer);
    const waitMs = limit.take(sender, clock.now());
    if (waitMs === 0) return null;
    return later(429, `${sender} asks more than ${REQUESTS.perSecond} times a second`, Math.ceil(waitMs / 1000));
  };
}

/** A ledger that can't be written is no fault of the sender: it keeps its records and comes back. */
async function storing(stored: Promise<{ acknowledged: number }>): Promise<{ acknowledged: number }> {
  try {
    return await stored;
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError)) throw thrown;
    throw { status: 503, error: thrown, headers: { 'retry-after': String(RETRY_S) } } satisfies HttpFailure;
  }
}

function later(status: 429 | 503, why: string, seconds: number): HttpFailure {
  const error = new EdgewardError('EDW_ERR_BATCH_LATER', `taking denials: ${why}`, {
    mend: 'Nothing to do: the sender keeps its records and sends them again.',
  });
  return { status, error, headers: { 'retry-after': String(seconds) } };
}
