import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Collector } from '@edgeward/audit-collector';
import { type DenialAnswer, type DenialBatch, MAX_BATCH_BYTES, parseDenialBatch } from '@edgeward/host-agent/protocol';
import {
  type Clock,
  createRateLimit,
  createWorkQueue,
  EdgewardError,
  type HttpFailure,
  messageOf,
  type TlsRequest,
} from '@edgeward/runtime';
import { type HostRoute, hostIn } from './routes.ts';

/**
 * Denials of hosts on their way into the ledger. A batch is answered once it is committed, and names what is stored from
 * then on; whose it is says the certificate. One batch of a host is under way at a time, and each host is kept to a rate:
 * what is more than that is asked to come back, and waits in the spool of its host. Nothing is kept here.
 */
export interface DenialsRouteOptions {
  collector: Pick<Collector, 'takeHostRecords'>;
  /** A policy is in force: without one, names and labels would be missing in the ledger for ever. */
  ready: () => boolean;
  clock: Clock;
}

/** Batches of a host: a flood of ten thousand sources is two a second, and the rest is for catching up. */
const RATE = { perSecond: 4, burst: 20 };
/** Batches in memory, a megabyte each at most. */
const MOST_UNDER_WAY = 64;
const RETRY_S = 5;

const unpack = promisify(gunzip);

export function denialsRoute({ collector, ready, clock }: DenialsRouteOptions): HostRoute {
  const limit = createRateLimit(RATE);
  const underWay = new Set<string>();
  const queue = createWorkQueue();

  function refusalOf(point: string): HttpFailure | null {
    if (!ready()) return later(503, 'no policy is in force yet', RETRY_S);
    if (underWay.has(point)) return later(429, `a batch of ${point} is under way`, 1);
    if (underWay.size >= MOST_UNDER_WAY) return later(503, `${MOST_UNDER_WAY} batches are under way`, RETRY_S);
    const waitMs = limit.take(point, clock.now());
    return waitMs === 0 ? null : later(429, `${point} sends more than was agreed`, Math.ceil(waitMs / 1000));
  }

  async function take(request: TlsRequest): Promise<DenialAnswer> {
    const point = hostIn(request);
    const refusal = refusalOf(point);
    if (refusal !== null) throw refusal;
    underWay.add(point);
    try {
      const { epoch, records } = await batchOf(request, clock.now());
      return await queue.run(async () => {
        // Between two batches everybody else has a turn.
        await setImmediate();
        return { epoch, ...stored(() => collector.takeHostRecords(point, epoch, records)) };
      });
    } finally {
      underWay.delete(point);
    }
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
  const coding = request.headers['content-encoding'] ?? 'identity';
  if (coding === 'identity') return parseDenialBatch(request.text, nowMs);
  if (coding !== 'gzip') throw unreadable(`content-encoding ${JSON.stringify(coding)} is not gzip`);
  const whole = await unpack(request.bytes, { maxOutputLength: MAX_BATCH_BYTES }).catch((cause: unknown) => {
    throw unreadable(messageOf(cause));
  });
  return parseDenialBatch(whole.toString('utf8'), nowMs);
}

/** A ledger that can't be written is no fault of the host: it keeps its records and comes back. */
function stored(store: () => { acknowledged: number }): { acknowledged: number } {
  try {
    return store();
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
