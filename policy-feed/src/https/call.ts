/**
 * One call to one host: bounded in time and bytes, no redirect followed, no cookie kept. A read whose kept connection was
 * closed at that very moment is made once more; nothing else is repeated here.
 */
import { setImmediate } from 'node:timers/promises';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import { type Dispatcher, errors, Pool } from 'undici';
import { isCertificateFault } from '../certificate-fault.ts';
import { cleanText, storeFailure } from '../failures.ts';
import { boundedBody, ERROR_BYTES, linesIn } from './bounded-body.ts';
import { type Deadline, deadline } from './deadline.ts';
import { pinnedLookup, type Resolver } from './pinned-lookup.ts';
import type { StoreUrl } from './store-url.ts';
import type { TlsIdentity } from './tls-identity.ts';

interface Ask {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Of the whole call. */
  limitMs: number;
  /** Until the answer begins, and between its pieces; without it the limit is the only one. A process that is busy itself does not count its own time. */
  silenceMs?: number;
  maxBytes: number;
  /** What messages begin with: `asking https://store for the head of edge-1`. */
  doing: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Of 200 the whole body, of 400 and more what there is of it within 16 kB; else empty. */
  bytes: Uint8Array;
  wireBytes: number;
}

export interface Site {
  readonly url: StoreUrl;
  call(ask: Ask, signal: AbortSignal): Promise<Answer>;
  /**
   * The lines of the answer as they come, each given to `onLine`, of `maxBytes` at most. What it answers has no bytes where the
   * status is 200.
   */
  lines(ask: Ask, signal: AbortSignal, onLine: (line: string) => void): Promise<Answer>;
  /** The answer as it comes; the caller reads it, or ends it through the signal. */
  stream(ask: Omit<Ask, 'maxBytes' | 'limitMs'>, signal: AbortSignal): Promise<Dispatcher.ResponseData>;
  /** What is asked from now on is asked as that; a question under way is answered as it began, a stream ends and is opened anew. */
  renew(identity: TlsIdentity): void;
  close(): Promise<void>;
}

export interface SiteOptions {
  url: StoreUrl;
  identity: TlsIdentity;
  resolver: Resolver;
  /** At a time; null: as many as there are calls. */
  connections: number | null;
  connectTimeoutMs: number;
  /** How long a connection is kept that nothing is asked on, however long the other side would. */
  idleMs: number;
  /** Between two pieces of one answer. */
  silenceMs: number;
}

const STREAM_BEGIN_MS = 15_000;

export function createSite(options: SiteOptions): Site {
  const { url } = options;
  let pool = poolOf(options, options.identity);
  /** With questions under way that began before the identity was renewed. */
  const former = new Set<Pool>();
  /** Each ends what is streamed now: it would not end by itself. */
  let renewed = new AbortController();
  /** A connection is free one turn of the loop after its answer ended: who asks before that would open another. */
  let freed: Promise<void> = Promise.resolve();

  async function call(ask: Ask, signal: AbortSignal, onLine?: (line: string) => void): Promise<Answer> {
    const limit = deadline(ask.limitMs, signal);
    try {
      await freed;
      return await called(() => pool, ask, limit, onLine);
    } catch (thrown) {
      throw lost(ask.doing, thrown, limit);
    } finally {
      limit.clear();
      freed = setImmediate();
    }
  }

  return {
    url,
    call,
    lines: call,
    stream: (ask, signal) => requested(() => pool, ask, AbortSignal.any([signal, renewed.signal]), null),
    renew(identity) {
      const before = pool;
      pool = poolOf(options, identity);
      former.add(before);
      renewed.abort();
      renewed = new AbortController();
      // Nothing more is asked there: its connections end with the answers that they wait for.
      before.close().then(
        () => former.delete(before),
        () => former.delete(before),
      );
    },
    async close() {
      await Promise.all([pool, ...former].map((it) => it.destroy()));
    },
  };
}

function poolOf(options: SiteOptions, identity: TlsIdentity): Pool {
  const { url, resolver } = options;
  return new Pool(url.origin, {
    connections: options.connections,
    pipelining: 1,
    // The one is for a server that says how long it keeps a connection, the other for one that does not.
    keepAliveMaxTimeout: options.idleMs,
    keepAliveTimeout: options.idleMs,
    allowH2: false,
    headersTimeout: 0, // A long poll is silent; the deadline of each call bounds it.
    bodyTimeout: options.silenceMs,
    connect: {
      secureContext: identity.context,
      // Said aloud because NODE_TLS_REJECT_UNAUTHORIZED=0 would turn off the default.
      rejectUnauthorized: true,
      timeout: options.connectTimeoutMs,
      lookup: pinnedLookup(resolver, { loopback: url.loopback }),
    },
  });
}

async function called(pool: () => Pool, ask: Ask, limit: Deadline, onLine?: (line: string) => void): Promise<Answer> {
  const answer = await requested(pool, ask, limit.signal, limit);
  const { statusCode: status, headers, body } = answer;
  // Destroyed before its end, a body says so as an event that nobody else waits for.
  body.on('error', () => {});
  try {
    if (status !== 200 && status < 400) {
      await body.dump({ limit: ERROR_BYTES });
      return { status, headers, bytes: new Uint8Array(), wireBytes: 0 };
    }
    if (status === 200 && onLine !== undefined) {
      for await (const line of linesIn(body, ask.maxBytes, ask.doing)) onLine(line);
      return { status, headers, bytes: new Uint8Array(), wireBytes: 0 };
    }
    const maxBytes = status === 200 ? ask.maxBytes : ERROR_BYTES;
    return { status, headers, ...(await boundedBody({ headers, body }, maxBytes, ask.doing)) };
  } catch (thrown) {
    throw lost(ask.doing, thrown, limit);
  } finally {
    body.destroy();
  }
}

async function requested(
  pool: () => Pool,
  ask: Omit<Ask, 'maxBytes' | 'limitMs'>,
  signal: AbortSignal,
  limit: Deadline | null,
): Promise<Dispatcher.ResponseData> {
  const { method, path, headers, body } = ask;
  // A stream has no deadline; its beginning has.
  const headersTimeout = limit === null ? STREAM_BEGIN_MS : (ask.silenceMs ?? 0);
  const wire = {
    method,
    path,
    signal,
    headersTimeout,
    // What comes in pieces may be as silent between two of them as before the first.
    ...(limit !== null && ask.silenceMs !== undefined && { bodyTimeout: ask.silenceMs }),
    ...(headers && { headers }),
    ...(body !== undefined && { body }),
  };
  const send = (): Promise<Dispatcher.ResponseData> => pool().request(wire);
  try {
    return await send();
  } catch (thrown) {
    if (method !== 'GET' || signal.aborted || !RESET.test(codeOf(thrown))) throw lost(ask.doing, thrown, limit);
  }
  try {
    return await send();
  } catch (thrown) {
    throw lost(ask.doing, thrown, limit);
  }
}

const RESET = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;
const NO_HTTP = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_|UND_ERR_INFO|ERR_SSL_WRONG_VERSION_NUMBER)/;

/** What was thrown on the way, as a coded error. */
function lost(doing: string, thrown: unknown, limit: Deadline | null): Error {
  if (limit?.isOver() === true)
    return storeFailure('EDW_ERR_STORE_UNREACHABLE', `${doing}: ${messageOf(limit.signal.reason)}`);
  const code = codeOf(thrown);
  if (code.startsWith('EDW_ERR_') && thrown instanceof Error) return thrown;
  const message = `${doing}: ${cleanText(messageOf(firstOf(thrown)) || code)}`;
  if (isCertificateFault(code)) return storeFailure('EDW_ERR_STORE_CERTIFICATE', message, thrown);
  if (NO_HTTP.test(code) || thrown instanceof errors.ResponseContentLengthMismatchError)
    return storeFailure('EDW_ERR_STORE_ANSWER', message, thrown);
  return storeFailure('EDW_ERR_STORE_UNREACHABLE', message, thrown);
}

function firstOf(thrown: unknown): unknown {
  return thrown instanceof AggregateError ? thrown.errors[0] : thrown;
}

function codeOf(thrown: unknown): string {
  return systemCodeOf(firstOf(thrown)) ?? '';
}
