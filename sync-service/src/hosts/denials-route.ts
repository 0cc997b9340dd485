import { batchText, type Collector, createBatchGate } from '@edgeward/audit-collector';
import { type DenialAnswer, type DenialBatch, MAX_BATCH_BYTES, parseDenialBatch } from '@edgeward/host-agent/protocol';
import { type Clock, EdgewardError, type HttpFailure, type TlsRequest } from '@edgeward/runtime';
import { type HostRoute, hostIn } from './routes.ts';

/**
 * Denials of hosts on their way into the ledger. A batch is answered once it is committed, and names what is stored from
 * then on; whose it is says the certificate. One batch of a host is under way at a time, and each host is kept to a rate of
 * batches and of records: what is more than that is asked to come back, and waits in the spool of its host. Nothing is kept
 * here.
 */
export interface DenialsRouteOptions {
  collector: Pick<Collector, 'takeHostRecords'>;
  /** A policy is in force: without one, names and labels would be missing in the ledger for ever. */
  ready: () => boolean;
  /** Records of one host, over time. */
  recordsPerSecond: number;
  /** A batch of this host was put off: it brings more than that. */
  onDeferred: (point: string) => void;
  clock: Clock;
}

/** Batches of a host: a flood of ten thousand sources is two a second, and the rest is for catching up. */
const RATE = { perSecond: 4, burst: 20 };
const RETRY_S = 5;

export function denialsRoute(options: DenialsRouteOptions): HostRoute {
  const { collector, ready, recordsPerSecond, onDeferred, clock } = options;
  const gate = createBatchGate({ batches: RATE, recordsPerSecond, onDeferred, clock, later });

  async function take(request: TlsRequest): Promise<DenialAnswer> {
    const point = hostIn(request);
    if (!ready()) throw later(503, 'no policy is in force yet', RETRY_S);
    return gate.pass(
      point,
      () => batchOf(request, clock.now()),
      async ({ epoch, records }) => ({
        epoch,
        ...(await stored(collector.takeHostRecords(point, epoch, records))),
      }),
    );
  }

  return {
    method: 'POST',
    path: '/v1/host/denials',
    maxBodyBytes: MAX_BATCH_BYTES,
    handle: async (request) => ({ json: await take(request) }),
  };
}

/** Throws EDW_ERR_HOST_BATCH. */
async function batchOf(request: TlsRequest, nowMs: number): Promise<DenialBatch> {
  return parseDenialBatch(await batchText(request, MAX_BATCH_BYTES, unreadable), nowMs);
}

/** A ledger that can't be written is no fault of the host: it keeps its records and comes back. */
async function stored(storing: Promise<{ acknowledged: number }>): Promise<{ acknowledged: number }> {
  try {
    return await storing;
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError)) throw thrown;
    throw { status: 503, error: thrown, headers: { 'retry-after': String(RETRY_S) } } satisfies HttpFailure;
  }
}

function later(status: 429 | 503, why: string, seconds: number): HttpFailure {
  const error = new EdgewardError('EDW_ERR_HOST_LATER', `taking denials of a host: ${why}`, {
    mend: 'Nothing to do: the host keeps its records and sends them again.',
  });
  return { status, error, headers: { 'retry-after': String(seconds) } };
}

function unreadable(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_BATCH', `unpacking denials of a host: ${why}`, {
    mend: 'Run the same version of Edgeward at the service and on the host. The host keeps its records meanwhile.',
  });
}
